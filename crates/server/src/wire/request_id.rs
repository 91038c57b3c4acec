//! Request ids, drawn in blocks so that a request costs no system call.

use std::sync::Arc;

use parking_lot::Mutex;
use strongroom_model::clock::Random;
use uuid::Uuid;

use super::Service;
use super::service::is_dynamodb;

/// Makes request ids in the shape that each service uses.
pub(super) struct RequestIds {
    random: Arc<dyn Random>,
    block: Mutex<Block>,
}

struct Block {
    bytes: Box<[u8; BLOCK_BYTES]>,
    used: usize,
}

impl RequestIds {
    pub(super) fn new(random: Arc<dyn Random>) -> Self {
        let block = Block { bytes: Box::new([0; BLOCK_BYTES]), used: BLOCK_BYTES };
        Self { random, block: Mutex::new(block) }
    }

    /// 52 upper-case letters and digits for DynamoDB, a UUID for the others.
    pub(super) fn next(&self, service: Service) -> Arc<str> {
        if is_dynamodb(service) {
            let bytes: [u8; 33] = self.bytes();
            let mut text = [0; 52];
            base32_hex(&bytes, &mut text);
            std::str::from_utf8(&text).expect("base32 is ASCII").into()
        } else {
            let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
            let uuid = uuid::Builder::from_random_bytes(self.bytes()).into_uuid();
            Arc::from(&*Uuid::hyphenated(uuid).encode_lower(&mut text))
        }
    }

    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut block = self.block.lock();
        if block.used + N > BLOCK_BYTES {
            self.random.fill(&mut block.bytes[..]);
            block.used = 0;
        }
        let start = block.used;
        block.used += N;
        block.bytes[start..start + N].try_into().expect("the range has N bytes")
    }
}

// Five bits a digit, most significant first; the input must cover the output.
fn base32_hex(bytes: &[u8], text: &mut [u8]) {
    let (mut bits, mut held) = (0_u32, 0);
    let mut rest = bytes.iter();
    for digit in text {
        if held < 5 {
            bits = (bits << 8) | u32::from(*rest.next().expect("5 bits per digit are there"));
            held += 8;
        }
        held -= 5;
        *digit = DIGITS[(bits >> held) as usize & 31];
    }
}

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
const BLOCK_BYTES: usize = 33 * 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Counting;

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (place, byte) in bytes.iter_mut().enumerate() {
                *byte = (place * 37 % 251) as u8;
            }
        }
    }

    /// Clients and log tools recognise the services' ids by their shape.
    #[test]
    fn ids_have_their_services_shape() {
        let ids = RequestIds::new(Arc::new(Counting));
        let dynamodb = ids.next(Service::DynamoDb);
        assert_eq!(dynamodb.len(), 52);
        assert!(dynamodb.bytes().all(|byte| DIGITS.contains(&byte)), "{dynamodb}");
        let kms = ids.next(Service::Kms);
        assert_eq!(Uuid::parse_str(&kms).map(|uuid| uuid.get_version_num()), Ok(4));
        assert_ne!(ids.next(Service::DynamoDb), dynamodb);
    }

    #[test]
    fn base32_hex_is_rfc_4648s() {
        let mut text = [0; 8];
        base32_hex(b"fooba", &mut text);
        assert_eq!(&text, b"CPNMUOJ1");
    }
}
