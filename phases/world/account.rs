//! Users and groups of the system, as `/etc/passwd` and `/etc/group` list them.
//!
//! Pure: which file lists one, whether a text has it, and the command that adds or removes it. An overlay changes the
//! text instead of running the command.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Command;

/// A user or group of the system; both have neither home nor password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Account {
    /// A user.
    User {
        /// Name.
        name: String,
        /// Its id.
        uid: u32,
        /// Id of its group, which is there.
        gid: u32,
    },
    /// A group.
    Group {
        /// Name.
        name: String,
        /// Its id.
        gid: u32,
    },
}

impl Account {
    /// Its name.
    pub fn name(&self) -> &str {
        let (Self::User { name, .. } | Self::Group { name, .. }) = self;
        name
    }

    /// Whether it is a user.
    pub fn is_user(&self) -> bool {
        matches!(self, Self::User { .. })
    }

    /// The file that lists what is of its kind.
    pub fn file(&self) -> &'static Path {
        Path::new(if self.is_user() { "/etc/passwd" } else { "/etc/group" })
    }

    /// Whether the text of that file has one of its name.
    pub fn is_in(&self, text: &str) -> bool {
        text.lines().any(|line| self.is_line(line))
    }

    /// The text of that file with it.
    pub(super) fn added_to(&self, text: &str) -> String {
        let line = match self {
            Self::User { name, uid, gid } => format!("{name}:x:{uid}:{gid}::/nonexistent:/bin/false"),
            Self::Group { name, gid } => format!("{name}:x:{gid}:"),
        };
        text.lines().chain([line.as_str()]).map(|line| format!("{line}\n")).collect()
    }

    /// The text of that file without it.
    pub(super) fn removed_from(&self, text: &str) -> String {
        text.lines().filter(|line| !self.is_line(line)).map(|line| format!("{line}\n")).collect()
    }

    fn is_line(&self, line: &str) -> bool {
        line.split(':').next() == Some(self.name())
    }

    /// The command that adds it.
    pub fn add_command(&self) -> Command {
        match self {
            Self::User { name, uid, gid } => Command::new(&[
                "useradd",
                "--system",
                "--no-create-home",
                "--home-dir",
                "/nonexistent",
                "--shell",
                "/bin/false",
                "--uid",
                &uid.to_string(),
                "--gid",
                &gid.to_string(),
                name,
            ]),
            Self::Group { name, gid } => Command::new(&["groupadd", "--system", "--gid", &gid.to_string(), name]),
        }
    }

    /// The command that removes it.
    pub fn remove_command(&self) -> Command {
        Command::new(&[if self.is_user() { "userdel" } else { "groupdel" }, self.name()])
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { name, uid, gid } => write!(f, "user {name} (uid {uid}, gid {gid})"),
            Self::Group { name, gid } => write!(f, "group {name} (gid {gid})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_name_counts() {
        let group = Account::Group { name: "kubeadm-kas".to_owned(), gid: 101 };
        let others = "root:x:0:\nkubeadm-kas-2:x:102:kubeadm-kas\n";
        assert!(!group.is_in(others));
        let with = group.added_to(others);
        assert_eq!((with.ends_with("kubeadm-kas:x:101:\n"), group.is_in(&with)), (true, true));
        assert_eq!(group.removed_from(&with), others);
    }
}
