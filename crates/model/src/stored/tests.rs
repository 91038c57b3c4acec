#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::attribute::arbitrary;
use crate::json;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| char::from(byte).to_digit(16).unwrap() as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// An item with every type, as version 1 stores it. These bytes are on users'
/// disks: they must open for ever.
fn version_1() -> (Vec<u8>, Item) {
    let bytes = hex("01 2f 0c
         01 61 01 03 6b 65 79
         01 62 02 81 82 0f
         01 63 02 00
         01 64 03 02 00 ff
         01 65 04
         01 66 05
         01 67 06
         01 68 07 02 01 01 78 08 00
         01 69 08 01 01 6e 01 00
         01 6a 09 02 00 02 c3 a9
         01 6b 0a 02 81 84 01 01 84 03
         01 6c 0b 01 01 00");
    let item = json::item_from_json_owned(json!({
        "a": {"S": "key"},
        "b": {"N": "-1.5"},
        "c": {"N": "0"},
        "d": {"B": "AP8="},
        "e": {"BOOL": false},
        "f": {"BOOL": true},
        "g": {"NULL": true},
        "h": {"L": [{"S": "x"}, {"M": {}}]},
        "i": {"M": {"n": {"S": ""}}},
        "j": {"SS": ["é", ""]},
        "k": {"NS": ["300", "-100"]},
        "l": {"BS": ["AA=="]},
    }))
    .unwrap();
    (bytes, item)
}

#[test]
fn version_1_opens_and_is_what_is_written() {
    let (bytes, item) = version_1();
    assert_eq!(decode(&bytes), Ok(item.clone()));
    assert_eq!(encode(&item), Ok(bytes.clone()));
    assert_eq!(item_bytes(&bytes), Ok(size::item_bytes(&item)));
}

#[test]
fn what_is_not_in_normal_form_is_refused() {
    let damaged = [
        ("", "it ends too early"),
        ("01", "it ends too early"),
        ("01 00", "it ends too early"),
        ("01 00 01", "it ends too early"),
        ("01 80 00 00", "a varint is not minimal"),
        ("01 ff ff ff ff ff 0f 00", "a varint is too long"),
        ("01 00 ff ff ff ff 0f", "it ends too early"),
        ("01 00 00 00", "bytes follow the last attribute"),
        ("01 00 01 01 61 00", "a value has an unknown type"),
        ("01 00 01 01 61 0c", "a value has an unknown type"),
        ("01 00 01 01 ff 06", "a text is not UTF-8"),
        ("01 00 01 01 61 01 02 c3 28", "a text is not UTF-8"),
        ("01 00 02 01 62 06 01 61 06", "names or set members are out of order"),
        ("01 00 02 01 61 06 01 61 06", "names or set members are out of order"),
        ("01 00 01 01 61 09 00", "a set is empty"),
        ("01 00 01 01 61 09 02 01 62 01 61", "names or set members are out of order"),
        ("01 00 01 01 61 0b 02 01 61 01 61", "names or set members are out of order"),
        // A negative zero, a trailing zero, a needless byte, 39 digits, 17 digit bytes.
        ("01 00 01 01 61 02 80 82", "a number is not in normal form"),
        ("01 00 01 01 61 02 01 82 0a", "a number is not in normal form"),
        ("01 00 01 01 61 02 02 82 05 00", "a number is not in normal form"),
        (
            "01 00 01 01 61 02 10 82 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ff",
            "a number is not in normal form",
        ),
        (
            "01 00 01 01 61 02 11 82 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01",
            "a number is not in normal form",
        ),
    ];
    for (bytes, reason) in damaged {
        let bytes = hex(bytes);
        let mut out = b"before".to_vec();
        assert_eq!(decode(&bytes), Err(StoredError::Damaged(reason)), "{bytes:02x?}");
        assert_eq!(write_item_json(&bytes, &mut out), Err(StoredError::Damaged(reason)), "{bytes:02x?}");
        assert_eq!(out, b"before");
    }
    assert_eq!(decode(&[2, 0, 0]), Err(StoredError::UnknownVersion(2)));
}

/// A stored item that says it nests a hundred thousand lists, and a value
/// that does: both are refused at the 33rd level.
#[test]
fn nesting_is_bounded_on_both_ways() {
    let nested = |levels: usize| {
        let mut bytes = hex("01 00 01 01 61");
        bytes.extend([0x07, 0x01].repeat(levels - 1));
        bytes.push(0x06);
        bytes
    };
    let too_deep = Err(StoredError::Damaged("values nest too deeply"));
    assert_eq!(decode(&nested(32)).unwrap()["a"].levels(), 32);
    for levels in [33, 100_000] {
        assert_eq!(decode(&nested(levels)), too_deep);
        assert_eq!(write_item_json(&nested(levels), &mut Vec::new()).map(|()| Item::new()), too_deep);
    }
    let deeper = AttributeValue::L(vec![decode(&nested(32)).unwrap().remove("a").unwrap()]);
    let item = Item::from([("a".to_owned(), deeper)]);
    assert_eq!(encode(&item), Err(json::nesting_exceeded()));
}

/// A count of four billion in a few bytes allocates nothing.
#[test]
fn counts_are_believed_only_as_far_as_the_bytes_reach() {
    for tag in ["07", "08", "09", "0a", "0b"] {
        let bytes = hex(&format!("01 00 01 01 61 {tag} ff ff ff ff 0f 06"));
        assert_eq!(decode(&bytes), Err(TRUNCATED));
    }
}

proptest! {
    #[test]
    fn items_read_back_what_was_stored(item in arbitrary::item()) {
        let bytes = encode(&item).unwrap();
        prop_assert_eq!(decode(&bytes), Ok(item.clone()));
        prop_assert_eq!(item_bytes(&bytes), Ok(size::item_bytes(&item)));
        let (mut direct, mut by_way_of_item) = (Vec::new(), Vec::new());
        write_item_json(&bytes, &mut direct).unwrap();
        json::write_item_json(&item, &mut by_way_of_item);
        prop_assert_eq!(String::from_utf8(direct).unwrap(), String::from_utf8(by_way_of_item).unwrap());
    }

    #[test]
    fn every_cut_is_noticed(item in arbitrary::item(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&item).unwrap();
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
    }

    /// Changed bytes are refused, or they are another item's one encoding
    /// (its size apart, which is not recounted); both readers agree.
    #[test]
    fn changed_bytes_never_surprise(
        item in arbitrary::item(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&item).unwrap();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let mut json = Vec::new();
        let written = write_item_json(&bytes, &mut json);
        match decode(&bytes) {
            Err(error) => prop_assert_eq!(written, Err(error)),
            Ok(item) => {
                prop_assert_eq!(written, Ok(()));
                let again = encode(&item).unwrap();
                if item_bytes(&bytes) == item_bytes(&again) {
                    prop_assert_eq!(again, bytes);
                }
            }
        }
    }
}
