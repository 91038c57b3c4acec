//! Fuzz targets: everything that parses what others send or what lies on disk,
//! each as one function of bytes, and a driver that feeds them.
//!
//! A target panics when something that must hold does not: that is the finding.
//! It says in a few words what became of its input, so that the driver can keep
//! inputs that led somewhere new. `docs/decisions/fuzzing-on-stable.md` has the
//! reasons, and how to run the same functions under a coverage-guided fuzzer.

pub mod driver;
pub mod seeds;
pub mod targets;

/// What became of an input, in a few words; not its content.
pub type Outcome = String;

/// A target by its name.
pub struct Target {
    /// What it is called.
    pub name: &'static str,
    /// Runs it once.
    pub run: fn(&[u8]) -> Outcome,
    /// Inputs to begin with.
    pub seeds: &'static [&'static str],
    /// Pieces that inputs are made of.
    pub words: &'static [&'static str],
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "condition",
        run: targets::expression::condition,
        seeds: seeds::CONDITIONS,
        words: seeds::EXPRESSION_WORDS,
    },
    Target {
        name: "key condition",
        run: targets::expression::key_condition,
        seeds: seeds::CONDITIONS,
        words: seeds::EXPRESSION_WORDS,
    },
    Target {
        name: "update",
        run: targets::expression::update,
        seeds: seeds::UPDATES,
        words: seeds::EXPRESSION_WORDS,
    },
    Target {
        name: "projection",
        run: targets::expression::projection,
        seeds: seeds::PROJECTIONS,
        words: seeds::EXPRESSION_WORDS,
    },
    Target {
        name: "partiql",
        run: targets::partiql::statement,
        seeds: seeds::STATEMENTS,
        words: seeds::PARTIQL_WORDS,
    },
    Target {
        name: "next token",
        run: targets::partiql::next_token,
        seeds: seeds::TOKENS,
        words: seeds::TOKENS,
    },
    Target { name: "number", run: targets::value::number, seeds: seeds::NUMBERS, words: seeds::NUMBERS },
    Target { name: "value", run: targets::value::json, seeds: seeds::VALUES, words: seeds::JSON_WORDS },
    Target {
        name: "stored item",
        run: targets::value::stored,
        seeds: seeds::VALUES,
        words: seeds::STORED_WORDS,
    },
    Target {
        name: "stored key",
        run: targets::value::stored_key,
        seeds: seeds::NUMBERS,
        words: seeds::STORED_WORDS,
    },
    Target { name: "request", run: targets::request::body, seeds: seeds::REQUESTS, words: seeds::JSON_WORDS },
    Target {
        name: "signature",
        run: targets::request::signature,
        seeds: seeds::SIGNED_HEADS,
        words: seeds::SIGNATURE_WORDS,
    },
    Target {
        name: "key policy",
        run: targets::request::policy,
        seeds: seeds::POLICIES,
        words: seeds::JSON_WORDS,
    },
    Target { name: "names", run: targets::request::names, seeds: seeds::NAMES, words: seeds::NAMES },
];
