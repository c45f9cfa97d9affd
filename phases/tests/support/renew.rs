//! Golden files that the program itself writes: compared as text, renewed with `UPDATE_GOLDEN=1`.
//!
//! A run that renewed anything fails, so that the switch cannot be left on. Reads and writes `testdata` only.

use std::path::Path;

/// Compares with `testdata/<name>`, or writes it when `UPDATE_GOLDEN` is set.
#[expect(clippy::disallowed_methods, reason = "golden files are the tests' own, no world is asked for them")]
pub(crate) fn compare(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(name);
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected == actual {
        return;
    }
    if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| !value.is_empty()) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
        panic!("renewed testdata/{name}: read the difference, then run again without UPDATE_GOLDEN");
    }
    let differs = expected.lines().zip(actual.lines()).position(|(expected, actual)| expected != actual);
    let line = differs.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
    panic!(
        "testdata/{name} differs at line {}:\n  expected  {}\n  actual    {}\nrenew it with UPDATE_GOLDEN=1 cargo test",
        line + 1,
        expected.lines().nth(line).unwrap_or("(its end)"),
        actual.lines().nth(line).unwrap_or("(its end)"),
    );
}
