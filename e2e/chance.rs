//! Choices that are made anew in each run and can be repeated: the seed is printed, E2E_SEED sets it. E2E_FULL asks for
//! everything instead of a choice.

use crate::say;
use std::time::SystemTime;

/// A sequence of numbers that its seed decides (xorshift).
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// Takes E2E_SEED, or the time, and says which.
    pub fn from_environment() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_secs() % 100_000);
        let seed = std::env::var("E2E_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(now);
        say(&format!("E2E_SEED={seed}"));
        Self::of(seed)
    }

    /// The sequence of this seed.
    pub fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number from 0 to one below `end`; 0 where there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % end.max(1)
    }

    /// A place in something that has this many.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }
}

/// Whether E2E_FULL=1 asks for everything.
pub fn is_full() -> bool {
    std::env::var("E2E_FULL").is_ok_and(|value| value == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_numbers() {
        let numbers = |seed| {
            let mut chance = Chance::of(seed);
            [1000, 1000, 1000, 7].map(|end| chance.below(end))
        };
        assert_eq!(numbers(4711), numbers(4711));
        assert_ne!(numbers(4711), numbers(4712));
        assert!(numbers(4711)[3] < 7);
    }
}
