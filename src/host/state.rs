//! The state folder's own files: the journal, the job of an unfinished run, and the lock that lets one run at a time touch
//! the node.
//!
//! A line of the journal that has to last is on disk before `append` returns. A power cut may leave half a last line; the
//! next line then begins on a new one, and readers leave out the half.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kubestrap_phases::plan::{Store, StoreError};
use kubestrap_phases::world::HostError;

use super::files;

/// The journal of all runs, `<state>/journal`.
pub(crate) struct JournalFile {
    path: PathBuf,
    open: RefCell<Option<File>>,
    lock: RefCell<Option<Lock>>,
}

impl JournalFile {
    /// The journal in a state folder; folder and file are made by the first line.
    pub(crate) fn new(state: &Path) -> Self {
        Self { path: state.join("journal"), open: RefCell::default(), lock: RefCell::default() }
    }

    /// Removes the state folder with all that is in it: the last act of a reset, after which nothing here is ours.
    pub(crate) fn forget(&self) -> Result<(), StoreError> {
        match self.hold() {
            // There is no room even for the lock, so that nobody else holds it either.
            Err(error) if error.is_disk_full() => {}
            held => held?,
        }
        self.open.take();
        let removed = fs::remove_dir_all(self.path.parent().unwrap_or(&self.path));
        // The lock's file is gone too: whoever begins anew takes another.
        self.lock.take();
        match removed {
            // Somebody's mount: what was in it is gone.
            Err(source) if source.kind() == ErrorKind::ResourceBusy => Ok(()),
            Err(source) if source.kind() != ErrorKind::NotFound => Err(self.failed(source)),
            _ => Ok(()),
        }
    }

    /// Takes the lock with the first change and keeps it.
    fn hold(&self) -> Result<(), StoreError> {
        let mut lock = self.lock.borrow_mut();
        if lock.is_none() {
            *lock = Some(Lock::take(self.path.parent().unwrap_or(&self.path))?);
        }
        Ok(())
    }

    fn job_path(&self) -> PathBuf {
        self.path.with_file_name("job")
    }

    /// Removes the kept copies that no line speaks of.
    fn drop_copies_without_a_line(&self, text: &str) -> io::Result<()> {
        let kept = match fs::read_dir(self.path.with_file_name("kept")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        for copy in kept {
            let copy = copy?;
            if copy.file_name().to_str().is_none_or(|digest| !text.contains(digest)) {
                fs::remove_file(copy.path())?;
            }
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> StoreError {
        StoreError::Failed { path: self.path.display().to_string(), source }
    }

    /// Opens for appending, with a new line begun.
    fn opened(&self) -> io::Result<File> {
        let state = self.path.parent().unwrap_or_else(|| Path::new("/"));
        make_state_folder(state)?;
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        files::sync_folder(state)?;
        if ends_in_half_a_line(&mut file)? {
            file.write_all(b"\n")?;
        }
        Ok(file)
    }
}

impl Store for JournalFile {
    fn lines(&self) -> Result<Vec<String>, StoreError> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(self.failed(source)),
        }
    }

    fn append(&self, line: &str, sync: bool) -> Result<(), StoreError> {
        self.hold()?;
        let mut open = self.open.borrow_mut();
        let mut file = match open.take() {
            Some(file) => file,
            None => self.opened().map_err(|source| self.failed(source))?,
        };
        let text = format!("{line}\n");
        let appended = file.write_all(text.as_bytes()).and_then(|()| if sync { file.sync_data() } else { Ok(()) });
        appended.map_err(|source| self.failed(source))?;
        // After a failure it is opened anew, since half a line may have been written.
        *open = Some(file);
        Ok(())
    }

    fn replace(&self, lines: &[String]) -> Result<(), StoreError> {
        self.hold()?;
        self.open.take();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        files::at_once(|changed| files::write(&self.path, (text.as_bytes(), 0o600), None, changed))
            .map_err(|error| self.failed(io_error(error)))?;
        self.drop_copies_without_a_line(&text).map_err(|source| self.failed(source))
    }

    fn job(&self) -> Result<Option<String>, StoreError> {
        let bytes = files::read(&self.job_path()).map_err(|error| self.failed(io_error(error)))?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn keep_job(&self, job: Option<&str>) -> Result<(), StoreError> {
        self.hold()?;
        let path = self.job_path();
        let kept = match job {
            Some(text) => files::at_once(|changed| files::write(&path, (text.as_bytes(), 0o600), None, changed)),
            None if files::read(&path).is_ok_and(|found| found.is_none()) => Ok(()),
            None => files::at_once(|changed| files::remove(&path, changed)),
        };
        kept.map_err(|error| StoreError::Failed { path: path.display().to_string(), source: io_error(error) })
    }

    fn held_by(&self) -> Option<String> {
        if self.lock.borrow().is_some() {
            return None;
        }
        let path = Lock::path(self.path.parent()?);
        match File::open(&path).ok()?.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(holder(&path)),
            _ => None,
        }
    }
}

/// Who has the lock, as far as that is written in it.
fn holder(lock: &Path) -> String {
    let text = fs::read_to_string(lock).unwrap_or_default().trim().to_owned();
    if text.is_empty() { "unknown".to_owned() } else { text }
}

fn ends_in_half_a_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn make_state_folder(state: &Path) -> io::Result<()> {
    files::at_once(|changed| files::make_folders(state, 0o700, changed)).map_err(io_error)
}

fn io_error(error: HostError) -> io::Error {
    match error {
        HostError::Write { source, .. } | HostError::Read { source, .. } => source,
        other => io::Error::other(other),
    }
}

/// Held by a run from its first look to its end; the kernel gives it back when the process is gone, however it ended.
#[derive(Debug)]
struct Lock {
    _file: File,
}

/// How often the lock is tried: who asks whether a run is at work has it for a moment.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(10);

impl Lock {
    fn path(state: &Path) -> PathBuf {
        state.join("lock")
    }

    /// Takes the lock `<state>/lock`, or says who has it. Does not wait for a run to end.
    fn take(state: &Path) -> Result<Self, StoreError> {
        let path = Self::path(state);
        let failed = |source| StoreError::Failed { path: path.display().to_string(), source };
        let open = || -> io::Result<File> {
            make_state_folder(state)?;
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)
        };
        let mut file = match open() {
            Ok(file) => file,
            Err(source) => return Err(failed(source)),
        };
        let is_busy = |tried: &Result<(), TryLockError>| matches!(tried, Err(TryLockError::WouldBlock));
        let mut tried = file.try_lock();
        for _ in 1..TRIES {
            if is_busy(&tried) {
                std::thread::sleep(PAUSE);
                tried = file.try_lock();
            }
        }
        match tried {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Held { path: path.display().to_string(), holder: holder(&path) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let told = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        match told {
            Ok(()) => Ok(Self { _file: file }),
            // The lock holds without the number, which is for people.
            Err(source) if source.kind() == ErrorKind::StorageFull => Ok(Self { _file: file }),
            Err(source) => Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use kubestrap_phases::problem::Problem;

    use super::super::scratch::Scratch;
    use super::*;

    #[test]
    fn lines_come_back_in_order_from_another_store_over_the_same_folder() {
        let scratch = Scratch::new();
        let state = scratch.join("var/lib/kubestrap");
        let journal = JournalFile::new(&state);
        assert_eq!(journal.lines().unwrap(), [""; 0]);
        assert!(!state.exists(), "looking makes nothing");
        journal.append("one", true).unwrap();
        journal.append("two", false).unwrap();
        drop(journal);
        let again = JournalFile::new(&state);
        again.append("three", true).unwrap();
        assert_eq!(again.lines().unwrap(), ["one", "two", "three"]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&state), mode(&state.join("journal"))), (0o700, 0o600));
    }

    #[test]
    fn a_line_torn_by_a_power_cut_stays_a_line_of_its_own() {
        let scratch = Scratch::new();
        fs::write(scratch.join("journal"), b"{\"n\":1}\n{\"n\":2,\"chan\xf0\x9f").unwrap();
        let journal = JournalFile::new(scratch.path());
        journal.append("{\"run\":2}", true).unwrap();
        journal.append("{\"n\":1}", true).unwrap();
        let lines = journal.lines().unwrap();
        assert_eq!((lines.len(), &*lines[0], &*lines[2], &*lines[3]), (4, "{\"n\":1}", "{\"run\":2}", "{\"n\":1}"));
        assert!(lines[1].starts_with("{\"n\":2,\"chan"));
    }

    #[test]
    fn a_journal_that_cannot_be_kept_names_its_file() {
        let scratch = Scratch::new();
        fs::write(scratch.join("file"), "").unwrap();
        let problem = Problem::from(JournalFile::new(&scratch.join("file")).append("line", true).unwrap_err());
        assert_eq!(
            (problem.id.as_str(), problem.place),
            ("journal", Some(scratch.join("file/lock").display().to_string()))
        );
    }

    #[test]
    fn a_second_holder_is_refused_and_told_who_has_the_lock_until_it_is_given_back() {
        let scratch = Scratch::new();
        let state = scratch.join("state");
        let lock = Lock::take(&state).unwrap();
        let problem = Problem::from(Lock::take(&state).unwrap_err());
        assert_eq!(problem.id, "another-run");
        assert!(problem.what.ends_with(&format!("process {}", std::process::id())), "{}", problem.what);
        drop(lock);
        Lock::take(&state).unwrap();
    }

    #[test]
    fn who_looks_sees_another_run_at_work_and_not_its_own() {
        let scratch = Scratch::new();
        let (run, look) = (JournalFile::new(scratch.path()), JournalFile::new(scratch.path()));
        assert_eq!(look.held_by(), None, "no run has been here");
        run.append("line", false).unwrap();
        assert_eq!((run.held_by(), look.held_by()), (None, Some(std::process::id().to_string())));
        drop(run);
        assert_eq!(look.held_by(), None, "it has ended");
    }

    #[test]
    fn a_lock_that_cannot_be_made_says_where() {
        let scratch = Scratch::new();
        fs::write(scratch.join("file"), "").unwrap();
        let problem = Problem::from(Lock::take(&scratch.join("file")).unwrap_err());
        assert_eq!(problem.id, "journal");
        assert!(problem.place.unwrap().ends_with("file/lock"));
    }
}
