//! README lists every problem id that the code can give.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.to_string_lossy().contains("test") {
            found.push(path);
        }
    }
}

/// The texts that stand as the first argument of `Problem::new` or as the id of a rule; tests at the end of a file left out.
fn ids(source: &str) -> Vec<&str> {
    let product = source.split("#[cfg(test)]").next().unwrap_or(source);
    let of_problems = product.split("Problem::new(").skip(1);
    of_problems.chain(product.split("Rule { id: ").skip(1)).filter_map(quoted).collect()
}

fn quoted(rest: &str) -> Option<&str> {
    rest.trim_start().strip_prefix('"')?.split('"').next()
}

#[test]
fn readme_lists_every_problem_id() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let mut files = Vec::new();
    sources(&root.join("phases"), &mut files);
    sources(&root.join("src"), &mut files);
    let mut missing = Vec::new();
    let mut seen = 0;
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        for id in ids(&source) {
            seen += 1;
            if !id.starts_with("config-") && !readme.contains(&format!("`{id}`")) {
                missing.push(format!("{id} in {}", file.display()));
            }
        }
    }
    assert!(seen > 30, "the scan finds the ids: {seen}");
    assert!(missing.is_empty(), "README does not list {missing:#?}");
}

#[test]
fn readme_lists_every_preflight_check() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let names: Vec<&str> = kubestrap_phases::preflight::CHECKS.iter().map(|check| check.name).collect();
    let missing: Vec<&&str> = names.iter().filter(|name| !readme.contains(&format!("`{name}`"))).collect();
    assert!(names.len() > 40, "{names:?}");
    assert!(missing.is_empty(), "README does not list {missing:?}");
}
