//! Every target, fed with changed inputs. A panic is a finding: the input is
//! printed, and becomes a test beside the code that it broke.
//!
//! `STRONGROOM_FUZZ_CASES` and `STRONGROOM_FUZZ_SEED` run it longer, or elsewhere.

use strongroom_fuzz::{TARGETS, driver};

const CASES: usize = 20_000;
const SEED: u64 = 1;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("the setting is a number"))
}

fn feed(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("the target is listed");
    let cases = setting("STRONGROOM_FUZZ_CASES").map_or(CASES, |cases| cases as usize);
    let seed = setting("STRONGROOM_FUZZ_SEED").unwrap_or(SEED);
    let outcomes = driver::run(target, seed, cases);
    // A target that always says the same looks at nothing.
    assert!(outcomes >= 3, "{outcomes} outcomes of `{name}`");
}

macro_rules! targets {
    ($($test:ident $name:literal)*) => {
        $(#[test] fn $test() { feed($name) })*

        #[test]
        fn no_target_is_left_out() {
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

targets! {
    condition "condition"
    key_condition "key condition"
    update "update"
    projection "projection"
    partiql "partiql"
    next_token "next token"
    number "number"
    value "value"
    stored_item "stored item"
    stored_key "stored key"
    request "request"
    signature "signature"
    key_policy "key policy"
    names "names"
}
