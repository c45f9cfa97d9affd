//! Root: the folder that the machine's files lie below, `/` or what `--rootfs` names.
//!
//! The one place where a path of the node becomes a path of this system. Below another folder than `/`, symbolic links
//! are followed as that system itself would follow them: an absolute one begins at the folder, and `..` ends at it, so
//! that nothing outside is ever reached. This is done name by name, as root and without: chroot needs root, and openat2
//! a newer kernel than old distributions have.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::path::{Component, Path, PathBuf};

use kubestrap_phases::problem::Problem;

/// How many links one path may lead through, as in the kernel.
const LINKS: usize = 40;

/// Where the machine's files begin. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Root {
    /// Without links in it; `None` for `/`.
    folder: Option<PathBuf>,
}

impl Root {
    /// The folder that was named, else `/`.
    pub(crate) fn of(named: Option<&Path>) -> std::result::Result<Self, Problem> {
        let Some(folder) = named else { return Ok(Self::default()) };
        let unusable = |why: String| {
            Problem::new("rootfs-unusable", "the folder that --rootfs names cannot be used")
                .at(folder.display().to_string())
                .why(why)
                .fix(format!("name a folder with a system's files, or make one: mkdir -p {}", folder.display()))
        };
        let found = folder.canonicalize().map_err(|error| unusable(error.to_string()))?;
        if !found.is_dir() {
            return Err(unusable("it is no folder".to_owned()));
        }
        Ok(Self { folder: (found != Path::new("/")).then_some(found) })
    }

    /// The folder, where it is not `/`: no system runs there.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Where the entry itself is: links above it are followed, the entry is not.
    pub(crate) fn entry<'p>(&self, path: &'p Path) -> Result<Cow<'p, Path>> {
        self.resolved(path, false)
    }

    /// Where the path leads to: the entry is followed too.
    pub(crate) fn target<'p>(&self, path: &'p Path) -> Result<Cow<'p, Path>> {
        self.resolved(path, true)
    }

    /// A path of this system as the node knows it; `None` when it lies elsewhere.
    pub(crate) fn inside(&self, path: &Path) -> Option<PathBuf> {
        match &self.folder {
            None => Some(path.to_owned()),
            Some(folder) => path.strip_prefix(folder).ok().map(|rest| Path::new("/").join(rest)),
        }
    }

    fn resolved<'p>(&self, path: &'p Path, follows_last: bool) -> Result<Cow<'p, Path>> {
        let Some(folder) = &self.folder else { return Ok(Cow::Borrowed(path)) };
        let mut at = folder.clone();
        let mut rest: VecDeque<OsString> = names(path).map(OsStr::to_owned).collect();
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                if at != *folder {
                    at.pop();
                }
                continue;
            }
            at.push(&name);
            if rest.is_empty() && !follows_last {
                break;
            }
            let Some(target) = link(&at)? else { continue };
            links += 1;
            if links > LINKS {
                return Err(Error::new(ErrorKind::InvalidInput, "too many levels of symbolic links"));
            }
            at.pop();
            if target.is_absolute() {
                at.clone_from(folder);
            }
            names(&target).rev().for_each(|name| rest.push_front(name.to_owned()));
        }
        Ok(Cow::Owned(at))
    }
}

/// The names of a path, `..` included.
fn names(path: &Path) -> impl DoubleEndedIterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

/// What a link points to; `None` where there is something else, or nothing.
fn link(path: &Path) -> Result<Option<PathBuf>> {
    match fs::read_link(path) {
        Ok(target) => Ok(Some(target)),
        Err(error)
            if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound | ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::scratch::Scratch;
    use super::*;

    fn a_root(scratch: &Scratch) -> Root {
        fs::create_dir_all(scratch.join("tree/etc/kubernetes")).unwrap();
        fs::create_dir_all(scratch.join("outside")).unwrap();
        Root::of(Some(&scratch.join("tree"))).unwrap()
    }

    #[test]
    fn the_running_system_takes_paths_as_they_are() {
        for root in [Root::default(), Root::of(Some(Path::new("/"))).unwrap()] {
            let path = Path::new("/etc/../var/run/x");
            assert_eq!((&*root.entry(path).unwrap(), &*root.target(path).unwrap()), (path, path));
            assert_eq!((root.folder(), root.inside(path)), (None, Some(path.to_owned())));
        }
    }

    #[test]
    fn paths_lie_below_the_folder_and_never_above_it() {
        let scratch = Scratch::new();
        let root = a_root(&scratch);
        for (path, expected) in [
            ("/etc/kubernetes/pki/ca.crt", "tree/etc/kubernetes/pki/ca.crt"),
            ("etc/kubernetes", "tree/etc/kubernetes"),
            ("/../../outside/x", "tree/outside/x"),
            ("/etc/../../..", "tree"),
            ("/", "tree"),
        ] {
            assert_eq!(*root.entry(Path::new(path)).unwrap(), scratch.join(expected), "{path}");
            assert_eq!(*root.target(Path::new(path)).unwrap(), scratch.join(expected), "{path}");
        }
        assert_eq!(root.inside(&scratch.join("tree/etc/a")), Some(PathBuf::from("/etc/a")));
        assert_eq!(root.inside(&scratch.join("outside")), None);
    }

    #[test]
    fn links_lead_nowhere_but_below_the_folder() {
        let scratch = Scratch::new();
        let root = a_root(&scratch);
        let outside = scratch.join("outside");
        for (link, target, path, expected) in [
            (
                "absolute",
                outside.clone(),
                "/absolute/x",
                scratch.join("tree").join(outside.strip_prefix("/").unwrap()).join("x"),
            ),
            ("upwards", PathBuf::from("../../../outside"), "/upwards/x", scratch.join("tree/outside/x")),
            ("beside", PathBuf::from("etc/kubernetes"), "/beside/x", scratch.join("tree/etc/kubernetes/x")),
            ("to-a-link", PathBuf::from("/beside"), "/to-a-link/x", scratch.join("tree/etc/kubernetes/x")),
            ("etc/up", PathBuf::from("../etc/kubernetes"), "/etc/up/x", scratch.join("tree/etc/kubernetes/x")),
        ] {
            symlink(&target, scratch.join("tree").join(link)).unwrap();
            assert_eq!(*root.entry(Path::new(path)).unwrap(), expected, "{link}");
        }
    }

    #[test]
    fn the_last_name_is_followed_only_by_who_wants_its_target() {
        let scratch = Scratch::new();
        let root = a_root(&scratch);
        symlink("/etc/kubernetes/new", scratch.join("tree/etc/current")).unwrap();
        let path = Path::new("/etc/current");
        assert_eq!(*root.entry(path).unwrap(), scratch.join("tree/etc/current"));
        assert_eq!(*root.target(path).unwrap(), scratch.join("tree/etc/kubernetes/new"));
    }

    #[test]
    fn links_in_a_circle_are_an_error() {
        let scratch = Scratch::new();
        let root = a_root(&scratch);
        symlink("/b", scratch.join("tree/a")).unwrap();
        symlink("/a", scratch.join("tree/b")).unwrap();
        root.target(Path::new("/a")).unwrap_err();
        root.entry(Path::new("/a")).unwrap();
        root.entry(Path::new("/a/x")).unwrap_err();
    }

    #[test]
    fn a_folder_that_is_none_is_refused() {
        let scratch = Scratch::new();
        fs::write(scratch.join("file"), "").unwrap();
        for name in ["file", "missing"] {
            assert_eq!(Root::of(Some(&scratch.join(name))).unwrap_err().id, "rootfs-unusable", "{name}");
        }
    }
}
