//! Where a document came from: file name and text, to find a field's line for messages.

use super::super::draft::Origin;

/// One document of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// Name of the file as given.
    pub(crate) file: &'a str,
    /// The document's text.
    pub(crate) text: &'a str,
    /// Number of lines before it.
    pub(crate) before: usize,
    /// Whether unknown fields are mistakes; not so for what another release's kubeadm has stored in the cluster.
    pub(crate) strict: bool,
    /// Whether versions that kubeadm calls experimental are read.
    pub(crate) experimental: bool,
}

impl Source<'_> {
    /// The origin of what stands at a path.
    pub(crate) fn origin(&self, path: &str) -> Origin {
        let line = line_of(self.text, path).map(|line| self.before + line + 1);
        Origin::Field { path: path.to_owned(), file: self.file.to_owned(), line }
    }

    /// The origin of the document as a whole.
    pub(crate) fn place(&self) -> String {
        let first = self.text.lines().position(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or(0);
        format!("{}, line {}", self.file, self.before + first + 1)
    }
}

/// The line, counted from 0, of the last part of a path that can be found: good enough for block style, and the line of
/// the outer field for flow style and for later items of a list.
fn line_of(text: &str, path: &str) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut found, mut next, mut outer) = (None, 0, None);
    for part in path.split('.') {
        let name = part.split('[').next().unwrap_or(part);
        let Some((line, column)) = field_line(&lines, next, outer, name) else { break };
        (found, next, outer) = (Some(line), line + 1, Some(column));
        if part.contains('[') && !part.ends_with("[0]") {
            break;
        }
    }
    found
}

/// Line and column of a field among the fields that stand one level below a column.
fn field_line(lines: &[&str], from: usize, outer: Option<usize>, name: &str) -> Option<(usize, usize)> {
    let mut level = None;
    for (index, line) in lines.iter().enumerate().skip(from) {
        let content = line.trim_start_matches([' ', '-']);
        if content.trim().is_empty() || content.starts_with('#') {
            continue;
        }
        let column = line.len() - content.len();
        if outer.is_some_and(|outer| column <= outer) {
            return None;
        }
        if *level.get_or_insert(column) != column {
            continue;
        }
        let content = content.trim_start_matches(['"', '\'']);
        let after = content.strip_prefix(name).map(|rest| rest.trim_start_matches(['"', '\'']));
        if after.is_some_and(|rest| rest.trim_start().starts_with(':')) {
            return Some((index, column));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_in_block_style_and_nearly_in_flow_style() {
        let text = "\
kind: ClusterConfiguration
# podSubnet: not this
networking:
  dnsDomain: a
  podSubnet: b
apiServer:
  extraArgs:
  - name: podSubnet
    value: x
etcd: {local: {dataDir: /a}}
podSubnet: c
";
        for (path, line) in [
            ("networking.podSubnet", Some(4)),
            ("podSubnet", Some(10)),
            ("apiServer.extraArgs[0].value", Some(8)),
            ("apiServer.extraArgs[1].value", Some(6)),
            ("etcd.local.dataDir", Some(9)),
            ("networking.serviceSubnet", Some(2)),
            ("nothing", None),
        ] {
            assert_eq!(line_of(text, path), line, "{path}");
        }
    }
}
