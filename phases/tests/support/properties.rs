//! How property tests draw: the same cases every time, so that a test that passed passes again. Other cases:
//! `PROPTEST_RNG_SEED=7 cargo test -p kubestrap-phases propert`, and more of them with `PROPTEST_CASES`.

use proptest::test_runner::{Config, RngSeed};

/// The configuration of a property: how many cases are drawn where the environment does not say.
pub(crate) fn cases(cases: u32) -> Config {
    let default = Config::default();
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    let usual = 256;
    let cases = if default.cases == usual { cases } else { default.cases };
    Config { cases, rng_seed, failure_persistence: None, ..default }
}
