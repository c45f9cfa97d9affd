//! How much of the command tree is made: building all of it, with the flags of every phase, costs more than many a command
//! itself, so that what no word names is there in name only.

use std::ffi::OsString;

/// The part of the tree that a command line can reach.
#[derive(Clone, Copy)]
pub(super) enum Reach<'a> {
    /// All of it, for help, completion and manual pages.
    Whole,
    /// The commands that these words may name.
    Of(&'a [OsString]),
}

impl<'a> Reach<'a> {
    /// Of words that ask for help, or name no command, the whole: what there is will be told.
    pub(super) fn of(words: &'a [OsString], commands: &[&str]) -> Self {
        let tells = |word: &OsString| ["help", "--help", "-h"].iter().any(|help| word == help);
        let names = |word: &OsString| commands.iter().any(|name| word == name);
        if words.iter().any(tells) || !words.iter().any(names) { Self::Whole } else { Self::Of(words) }
    }

    /// Whether a command of this name may be meant.
    pub(super) fn has(self, name: &str) -> bool {
        match self {
            Self::Whole => true,
            Self::Of(words) => words.iter().any(|word| word == name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{command, reached};
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn what_no_word_names_is_not_made() {
        let words = words("kubestrap -o json reset --force");
        let root = reached(&words);
        let flags = |name: &str| root.find_subcommand(name).unwrap().get_arguments().count();
        assert!(flags("reset") > 5, "{}", flags("reset"));
        assert_eq!((flags("init"), flags("join")), (0, 0));
        let phases = |root: &clap::Command| {
            root.find_subcommand("reset").unwrap().find_subcommand("phase").unwrap().get_subcommands().count()
        };
        assert!(phases(&root) == 0 && phases(&command()) > 5);
    }

    #[test]
    fn a_line_is_read_from_a_part_as_from_the_whole() {
        for line in [
            "kubestrap",
            "kubestrap --help",
            "kubestrap reset --help",
            "kubestrap reset -fh",
            "kubestrap help init phase",
            "kubestrap init phase",
            "kubestrap init --token",
            "kubestrap init phases",
            "kubestrap init phase certs etcd",
            "kubestrap init phase certs etcd-ca --nothing",
            "kubestrap join a:1 b:1 --nothing",
            "kubestrap token",
            "kubestrap token creat",
            "kubestrap restet",
            "kubestrap -o json reset phase cleanup-node files --dry-run=maybe",
            "kubestrap alpha certs renew",
            "kubestrap upgrade",
        ] {
            let words = words(line);
            let told = |root: clap::Command| match root.try_get_matches_from(&words) {
                Ok(matches) => format!("{:?}", matches.subcommand_name()),
                Err(error) => error.to_string(),
            };
            assert_eq!(told(reached(&words)), told(command()), "{line}");
        }
    }
}
