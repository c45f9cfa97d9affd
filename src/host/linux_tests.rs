//! Each change of files: done, done twice, done and undone, on a real file system.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use kubestrap_phases::world::{FileKind, ImagePull};

use super::super::scratch::Scratch;
use super::*;

fn a_host(scratch: &Scratch) -> Linux {
    Linux::new(&scratch.join("state"))
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn a_file(path: &Path, content: &str, mode: u32) -> PathBuf {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    path.to_owned()
}

fn file(path: &Path, content: &str, mode: u32) -> Change {
    Change::File { path: path.to_owned(), content: Content::new(content), mode, like: None }
}

/// The change that an undo asks for.
fn back(undo: Undo) -> Change {
    match undo {
        Undo::Remove { path } => Change::Remove { path, keep: true },
        Undo::Restore { path, kept, mode, .. } => {
            Change::File { path, content: Content::new(fs::read(&kept).unwrap()), mode, like: Some(kept) }
        }
        Undo::Owner { path, uid, gid, mode } => Change::Owner { path, uid, gid, mode },
        Undo::MakeFolder { path, mode } => Change::Folder { path, mode },
        other => panic!("no way back: {other:?}"),
    }
}

/// Prepares and makes a change; gives what takes it back.
fn done(host: &Linux, change: &Change) -> Undo {
    let undo = host.prepare(change).unwrap();
    host.apply(change).unwrap();
    undo
}

#[test]
fn a_file_has_its_content_and_exact_mode_under_any_umask() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    for wanted in [0o600, 0o644, 0o664, 0o755] {
        let path = scratch.join(&format!("file-{wanted:o}"));
        host.apply(&file(&path, "content", wanted)).unwrap();
        assert_eq!((mode(&path), fs::read_to_string(&path).unwrap().as_str()), (wanted, "content"), "{wanted:o}");
        let path = scratch.join(&format!("folder-{wanted:o}"));
        host.apply(&Change::Folder { path: path.clone(), mode: wanted | 0o700 }).unwrap();
        assert_eq!(mode(&path), wanted | 0o700, "{wanted:o}");
    }
    nix::sys::stat::umask(before);
}

#[test]
fn a_file_written_twice_is_as_written_once_and_leaves_no_dot_file() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let path = scratch.join("ca.key");
    for _ in 0..2 {
        done(&host, &file(&path, "key", 0o600));
        assert_eq!((mode(&path), fs::read_to_string(&path).unwrap().as_str()), (0o600, "key"));
    }
    let names: Vec<_> = host.list(scratch.path()).unwrap().into_iter().map(|found| found.path).collect();
    assert_eq!(names, [path, scratch.join("state")]);
}

#[test]
fn a_new_file_done_and_undone_is_gone() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let path = scratch.join("new");
    let undo = done(&host, &file(&path, "content", 0o644));
    host.apply(&back(undo)).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_replaced_file_done_and_undone_is_as_it_was() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let path = a_file(&scratch.join("kubelet.conf"), "before", 0o640);
    let has_attributes = xattr::set(&path, "user.label", b"theirs").is_ok();
    let undo = done(&host, &file(&path, "after", 0o600));
    assert_eq!((mode(&path), fs::read_to_string(&path).unwrap().as_str()), (0o600, "after"));
    let Undo::Restore { kept, .. } = &undo else { panic!("{undo:?}") };
    assert!(kept.starts_with(scratch.join("state/kept")), "{}", kept.display());
    assert_eq!((mode(kept), mode(kept.parent().unwrap()), mode(&scratch.join("state"))), (0o600, 0o700, 0o700));
    host.apply(&back(undo)).unwrap();
    assert_eq!((mode(&path), fs::read_to_string(&path).unwrap().as_str()), (0o640, "before"));
    let label = xattr::get(&path, "user.label").ok().flatten();
    assert_eq!(label.as_deref(), has_attributes.then_some(&b"theirs"[..]));
}

#[test]
fn a_link_in_the_place_of_a_file_is_replaced_and_its_target_untouched() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let target = a_file(&scratch.join("target"), "target", 0o644);
    let path = scratch.join("link");
    symlink(&target, &path).unwrap();
    let undo = done(&host, &file(&path, "own", 0o600));
    assert!(matches!(&undo, Undo::Impossible { why } if why.contains("ln -sfn")), "{undo:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "own");
    assert_eq!(fs::read_to_string(&target).unwrap(), "target");
}

#[test]
fn a_write_over_a_folder_fails_before_anything_is_kept_or_changed() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let path = scratch.join("manifests");
    fs::create_dir(&path).unwrap();
    host.prepare(&file(&path, "content", 0o600)).unwrap_err();
    host.apply(&file(&path, "content", 0o600)).unwrap_err();
    assert_eq!(host.list(scratch.path()).unwrap().len(), 1, "no dot-file is left behind");
}

#[test]
fn what_a_killed_run_left_beside_a_target_is_cleared_by_the_next_write() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let left = a_file(&scratch.join(".ca.key.kubestrap-4711"), "half a k", 0o600);
    let other = a_file(&scratch.join(".sa.key.kubestrap-4711"), "another target's", 0o600);
    let own = a_file(&scratch.join(".ca.key.kubestrap-backup"), "somebody's own", 0o600);
    host.apply(&file(&scratch.join("ca.key"), "key", 0o600)).unwrap();
    assert_eq!((left.exists(), other.exists(), own.exists()), (false, true, true));
}

#[test]
fn a_file_is_never_seen_half_written() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let path = scratch.join("manifest.yaml");
    host.apply(&file(&path, "before", 0o600)).unwrap();
    let opened = fs::File::open(&path).unwrap();
    host.apply(&file(&path, "after", 0o600)).unwrap();
    let still_open = opened.metadata().unwrap();
    assert_ne!(still_open.ino(), fs::metadata(&path).unwrap().ino(), "a new file took the name");
    assert_eq!(still_open.len(), 6, "the old one was not written to");
}

#[test]
fn a_folder_done_twice_keeps_its_mode_and_done_and_undone_is_gone() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let path = scratch.join("pki");
    let undo = done(&host, &Change::Folder { path: path.clone(), mode: 0o700 });
    let again = done(&host, &Change::Folder { path: path.clone(), mode: 0o755 });
    assert_eq!((mode(&path), again), (0o700, Undo::Nothing));
    host.apply(&back(undo)).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_folder_cannot_be_made_where_a_file_is() {
    let scratch = Scratch::new();
    let path = a_file(&scratch.join("pki"), "not a folder", 0o644);
    a_host(&scratch).apply(&Change::Folder { path: path.clone(), mode: 0o700 }).unwrap_err();
    assert_eq!(fs::read_to_string(path).unwrap(), "not a folder");
}

#[test]
fn a_removed_file_done_twice_is_gone_and_undone_is_back() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let path = a_file(&scratch.join("bootstrap-kubelet.conf"), "token", 0o600);
    let twin = a_file(&scratch.join("twin.conf"), "token", 0o600);
    let has_attributes = xattr::set(&path, "user.label", b"theirs").is_ok();
    let twins_undo = done(&host, &Change::Remove { path: twin.clone(), keep: true });
    let remove = Change::Remove { path: path.clone(), keep: true };
    let undo = done(&host, &remove);
    assert_eq!((path.exists(), done(&host, &remove)), (false, Undo::Nothing));
    host.apply(&back(undo)).unwrap();
    assert_eq!((mode(&path), fs::read_to_string(&path).unwrap().as_str()), (0o600, "token"));
    host.apply(&back(twins_undo)).unwrap();
    for (path, label) in [(path, has_attributes.then_some(&b"theirs"[..])), (twin, None)] {
        assert_eq!(xattr::get(&path, "user.label").ok().flatten().as_deref(), label, "{}", path.display());
    }
}

#[test]
fn an_empty_folder_removed_and_undone_is_back_and_a_full_one_stays() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let path = scratch.join("manifests");
    host.apply(&Change::Folder { path: path.clone(), mode: 0o750 }).unwrap();
    let undo = done(&host, &Change::Remove { path: path.clone(), keep: true });
    assert!(!path.exists());
    host.apply(&back(undo)).unwrap();
    assert_eq!(mode(&path), 0o750);
    a_file(&path.join("pod.yaml"), "a Pod", 0o600);
    host.apply(&Change::Remove { path: path.clone(), keep: true }).unwrap_err();
    assert!(path.join("pod.yaml").exists());
}

#[test]
fn an_owner_is_changed_and_given_back_and_kept_by_what_replaces_the_file() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let owner = |path: &Path| fs::metadata(path).map(|found| (found.uid(), found.gid(), mode(path))).unwrap();
    let path = a_file(&scratch.join("sa.key"), "old", 0o600);
    let (uid, gid, _) = owner(&path);
    // Only root may give away what is its own.
    let to = if uid == 0 { (12_345, 12_346) } else { (uid, gid) };
    let undo = done(&host, &Change::Owner { path: path.clone(), uid: to.0, gid: to.1, mode: 0o640 });
    assert_eq!(owner(&path), (to.0, to.1, 0o640));
    host.apply(&file(&path, "new", 0o600)).unwrap();
    assert_eq!(owner(&path), (to.0, to.1, 0o600));
    host.apply(&back(undo)).unwrap();
    assert_eq!(owner(&path), (uid, gid, 0o600));
    let found = host.stat(&path).unwrap().unwrap();
    assert_eq!((found.uid, found.gid), (uid, gid));
    let link = scratch.join("link");
    symlink(&path, &link).unwrap();
    let error = host.apply(&Change::Owner { path: link, uid: to.0, gid: to.1, mode: 0o644 }).unwrap_err();
    assert_eq!((error.to_string().starts_with("cannot change the owner of"), mode(&path)), (true, 0o600));
}

#[test]
fn a_removed_tree_has_no_way_back_and_says_so() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let path = scratch.join("etcd");
    fs::create_dir_all(path.join("member/wal")).unwrap();
    let change = Change::RemoveTree { path: path.clone() };
    assert!(matches!(done(&host, &change), Undo::Impossible { .. }));
    assert_eq!((path.exists(), done(&host, &change)), (false, Undo::Nothing));
}

#[test]
fn a_tree_with_a_mount_point_of_this_machine_is_refused() {
    let scratch = Scratch::new();
    let error = a_host(&scratch).apply(&Change::RemoveTree { path: PathBuf::from("/proc/sys") }).unwrap_err();
    assert!(matches!(error, HostError::Write { action: "remove", .. }), "{error:?}");
}

#[test]
fn commands_and_images_say_whether_there_is_a_way_back() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    let run = Change::Run { command: Command::new(&["true"]), purpose: "do nothing".to_owned() };
    assert!(matches!(done(&host, &run), Undo::Impossible { .. }));
    let pull = ImagePull { socket: "/run/none.sock".to_owned(), images: vec!["pause".to_owned()], is_serial: false };
    assert_eq!(host.prepare(&Change::PullImages(pull)).unwrap(), Undo::Nothing);
}

#[test]
fn what_an_object_was_is_kept_once_under_its_digest() {
    let scratch = Scratch::new();
    let content = Content::new("{}");
    let copy = Linux::keep(scratch.path(), &content).unwrap();
    assert_eq!(copy, scratch.join("kept").join(content.sha256()));
    assert_eq!((mode(&copy), fs::read(&copy).unwrap().as_slice()), (0o600, content.bytes()));
    let before = fs::metadata(&copy).unwrap().ino();
    Linux::keep(scratch.path(), &content).unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().ino(), before);
}

#[test]
fn looking_tells_kinds_and_modes_and_nothing_is_not_an_error() {
    let scratch = Scratch::new();
    let host = a_host(&scratch);
    a_file(&scratch.join("file"), "12345", 0o640);
    symlink("nowhere", scratch.join("link")).unwrap();
    fs::create_dir(scratch.join("folder")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(scratch.join("socket")).unwrap();
    let found: Vec<_> = host.list(scratch.path()).unwrap().into_iter().map(|found| (found.kind, found.size)).collect();
    assert_eq!(
        found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
        [FileKind::File, FileKind::Folder, FileKind::Link, FileKind::Other]
    );
    assert_eq!(found[0].1, 5);
    let nowhere = scratch.join("file/below/a/file");
    assert_eq!(host.read(&nowhere).unwrap(), None);
    assert_eq!(host.stat(&nowhere).unwrap(), None);
    assert_eq!(host.list(&scratch.join("none")).unwrap(), []);
    assert!(host.stat(Path::new("/proc")).unwrap().unwrap().is_mount_point);
    assert!(!host.stat(&scratch.join("folder")).unwrap().unwrap().is_mount_point);
}

#[test]
fn of_the_environment_only_the_search_path_and_proxies_are_taken() {
    let variables = [("HOME", "/root"), ("https_proxy", "http://p:1"), ("NO_PROXY", ""), ("HTTP_PROXY", "http://p:2")];
    let variables = variables.iter().chain(&[("PATH", "/nowhere")]);
    let host = Linux::new(Path::new("/nowhere"))
        .with_environment(variables.map(|(name, value)| (OsString::from(name), OsString::from(value))));
    let facts = host.facts().unwrap();
    let expected = [("https_proxy", "http://p:1"), ("HTTP_PROXY", "http://p:2")];
    assert_eq!(facts.proxies, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(facts.programs.len(), 0);
}
