//! A machine that is no machine in particular: for commands that deal with files alone, and say the same everywhere.

use crate::world::{Entropy, Facts, KeyAlgorithm, Overlay, Secret};

/// A host in memory with a name, one address of each family, and nothing else.
pub(in crate::config) fn nowhere() -> Overlay<'static> {
    let mut host = Overlay::default();
    host.facts = Facts {
        host_name: "node".to_owned(),
        default_addresses: vec![[10, 0, 0, 1].into(), [0xfd00, 0, 0, 0, 0, 0, 0, 1].into()],
        ..Facts::default()
    };
    host
}

/// Randomness for what is thrown away: all bytes are the same, and nothing made with them may leave the program.
pub(in crate::config) struct NoEntropy;

impl Entropy for NoEntropy {
    fn bytes(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }

    fn key_pem(&self, _: KeyAlgorithm) -> Secret<String> {
        Secret::new(String::new())
    }
}
