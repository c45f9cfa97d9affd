//! What a table of a file format is made of: versions, kinds, and one row per field.
//!
//! A row says where a field stands in the file, what shape it has, and which setting of the draft it fills. The same rows
//! serve reading, checking, suggesting names and writing.

use super::super::draft::Setting;

/// One version of the group kubeadm.k8s.io.
#[derive(Debug)]
pub(crate) struct Version {
    /// Group and version.
    pub(crate) api: &'static str,
    /// Its kinds.
    pub(crate) kinds: &'static [Kind],
}

/// One kind of document.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its rows in blocks.
    pub(crate) blocks: &'static [&'static [Row]],
    /// Sections that kubeadm writes, be they empty.
    pub(crate) sections: &'static [&'static str],
}

/// One field: path with dots, shape, and the setting it fills.
#[derive(Debug)]
pub(crate) struct Row(pub(crate) &'static str, pub(crate) Shape, pub(crate) Setting);

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A string.
    Text,
    /// true or false.
    Bool,
    /// A whole number.
    Number,
    /// A string as Go writes durations.
    Duration,
    /// A list of strings.
    Texts,
    /// A map from name to true or false.
    Gates,
    /// A map from flag to value; kept as a list of name and value.
    ArgMap,
    /// A list of name and value.
    ArgList,
    /// A list of objects with these fields.
    Items(&'static [(&'static str, Self)]),
    /// An object whose being there means something.
    Section,
    /// An object that is not looked into.
    Opaque,
}

impl Shape {
    /// Its name for people, with article.
    pub(crate) fn wanted(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Bool => "true or false",
            Self::Number => "a whole number",
            Self::Duration => "a duration such as 4m0s",
            Self::Texts => "a list of texts",
            Self::Gates => "a map from feature gate to true or false",
            Self::ArgMap => "a map from flag to text",
            Self::ArgList => "a list of objects with name and value",
            Self::Items(_) => "a list of objects",
            Self::Section | Self::Opaque => "an object",
        }
    }
}

impl Kind {
    /// All rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &'static Row> {
        self.blocks.iter().flat_map(|block| block.iter())
    }

    /// The row of a whole path.
    pub(crate) fn row(&self, path: &str) -> Option<&'static Row> {
        self.rows().find(|row| row.0 == path)
    }

    /// The row that fills a setting.
    pub(crate) fn row_of(&self, setting: Setting) -> Option<&'static Row> {
        self.rows().find(|row| row.2 == setting)
    }

    /// Names of the fields directly below a path, without repetition.
    pub(crate) fn fields(&self, below: &str) -> Vec<&'static str> {
        let mut names = Vec::new();
        for row in self.rows() {
            let rest = if below.is_empty() {
                Some(row.0)
            } else {
                row.0.strip_prefix(below).and_then(|rest| rest.strip_prefix('.'))
            };
            if let Some(name) = rest.and_then(|rest| rest.split('.').next())
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        names
    }
}

impl Version {
    /// The kind of this name.
    pub(crate) fn kind(&self, name: &str) -> Option<&'static Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }
}
