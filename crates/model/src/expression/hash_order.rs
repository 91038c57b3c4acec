//! The order of Java's hash tables, which some messages of the service show.

/// The hash code of a string: over its UTF-16 code units.
pub(super) fn string_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// The order in which a table goes through entries of these hash codes, given
/// in the order in which they were added: their positions in `hashes`.
pub(super) fn table_order(hashes: &[u32]) -> Vec<usize> {
    let bucket_of = |entry: usize, buckets: usize| {
        let hash = hashes[entry];
        (hash ^ (hash >> 16)) as usize & (buckets - 1)
    };
    let mut order: Vec<usize> = (0..hashes.len()).collect();
    let buckets = if hashes.len() <= CHAIN_MAX { BUCKETS_MIN } else { bucket_count(hashes.len(), bucket_of) };
    order.sort_by_key(|entry| bucket_of(*entry, buckets));
    order
}

/// The order in which a Java set of these different strings goes through them; `expected` is the number of
/// elements that the set was made for, where it was made for one.
pub fn hash_set_order<'a>(texts: &[&'a str], expected: Option<usize>) -> Vec<&'a str> {
    let hashes: Vec<u32> = texts.iter().map(|text| string_hash(text)).collect();
    let order = match expected {
        None => table_order(&hashes),
        Some(expected) => {
            let room = if expected < 3 { expected + 1 } else { expected * 4 / 3 + 1 };
            let buckets = room.next_power_of_two();
            let mut order: Vec<usize> = (0..hashes.len()).collect();
            order.sort_by_key(|entry| (hashes[*entry] ^ (hashes[*entry] >> 16)) as usize & (buckets - 1));
            order
        }
    };
    order.into_iter().map(|entry| texts[entry]).collect()
}

/// How many buckets a table has after this many entries were added.
fn bucket_count(entries: usize, bucket_of: impl Fn(usize, usize) -> usize) -> usize {
    let mut chains = vec![0usize; BUCKETS_MIN];
    for entry in 0..entries {
        let bucket = bucket_of(entry, chains.len());
        chains[bucket] += 1;
        // A small table grows also because of one long chain.
        let long_chain = chains[bucket] > CHAIN_MAX && chains.len() < BUCKETS_FOR_LONG_CHAINS;
        if long_chain || (entry + 1) * 4 > chains.len() * 3 {
            let buckets = chains.len() * 2;
            chains = vec![0; buckets];
            for earlier in 0..=entry {
                chains[bucket_of(earlier, buckets)] += 1;
            }
        }
    }
    chains.len()
}

const BUCKETS_MIN: usize = 16;
const CHAIN_MAX: usize = 8;
const BUCKETS_FOR_LONG_CHAINS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn order<'a>(keys: &[&'a str]) -> Vec<&'a str> {
        let hashes: Vec<u32> = keys.iter().map(|key| string_hash(key)).collect();
        table_order(&hashes).into_iter().map(|entry| keys[entry]).collect()
    }

    /// As CreateTable listed them when it was tried.
    #[test]
    fn sets_made_for_a_number_of_elements_are_smaller() {
        assert_eq!(hash_set_order(&["pk", "sk", "a", "b", "c"], Some(5)), ["sk", "a", "b", "pk", "c"]);
        assert_eq!(hash_set_order(&["pk", "sk", "a"], None), ["a", "sk", "pk"]);
        assert_eq!(hash_set_order(&["pk", "sk"], Some(2)), ["sk", "pk"]);
    }

    #[test]
    fn keys_come_by_bucket_and_then_as_they_were_added() {
        assert_eq!(order(&[":n", ":s", ":b"]), [":n", ":b", ":s"]);
        assert_eq!(order(&["#z", "#a", "#y"]), ["#y", "#z", "#a"]);
        assert_eq!(order(&["a", "q"]), ["a", "q"]);
        assert_eq!(order(&["q", "a"]), ["q", "a"]);
    }

    #[test]
    fn a_long_chain_spreads_over_a_larger_table() {
        let keys = ["#a0", "#b1", "#c2", "#d3", "#e4", "#f5", "#g6", "#h7", "#i8", "#j9", "#k10"];
        assert_eq!(order(&keys[..7]), keys[..7]);
        assert_eq!(
            order(&keys),
            ["#a0", "#c2", "#e4", "#g6", "#i8", "#k10", "#b1", "#d3", "#f5", "#h7", "#j9"]
        );
    }

    #[test]
    fn a_table_grows_when_it_is_three_quarters_full() {
        let keys: Vec<String> = (0..13).map(|number| char::from(b'a' + 2 * number).to_string()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        // Of 16 buckets `a` and `q` share one, of 32 they do not.
        assert_eq!(order(&keys[..12])[..2], ["a", "q"]);
        assert_eq!(order(&keys)[..2], ["a", "c"]);
    }
}
