//! `certs check-expiration`: until when the certificates and CAs of a control-plane node are valid.
//!
//! Reads the certificate folder and the kubeconfigs, changes nothing. The table is kubeadm's; the structured form is its
//! `CertificateExpirationInfo` of output.kubeadm.k8s.io/v1alpha3.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::found::{self, Ca, PairFiles};
use super::managed;
use crate::config::{ClusterConfig, Etcd, Layout};
use crate::problem::Problem;
use crate::world::{Clock, Host};

/// Until when everything is valid, as seen at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expirations {
    certificates: Vec<Row>,
    authorities: Vec<Row>,
    now: Clock,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    name: &'static str,
    /// Name of the CA that signs it; empty for a CA.
    authority: &'static str,
    /// `None` when it is not there.
    not_after: Option<Clock>,
    externally_managed: bool,
}

/// Looks at everything that a cluster of this kind has on a control-plane node.
///
/// # Errors
/// One problem with a finding per file that is there and cannot be read.
pub fn expirations(
    cluster: &ClusterConfig,
    layout: &Layout,
    host: &dyn Host,
    now: Clock,
) -> Result<Expirations, Problem> {
    let mut damaged = Vec::new();
    let mut certificates = Vec::new();
    for managed in managed::ALL.iter().filter(|managed| managed.is_left_out(cluster).is_none()) {
        let externally_managed = found::is_external(managed.ca(), layout, host)?;
        match managed.found(layout, host) {
            Ok(found) => certificates.push(Row {
                name: managed.name(),
                authority: name(managed.ca()),
                not_after: found.map(|certificate| certificate.not_after),
                externally_managed,
            }),
            Err(problem) => damaged.push(problem),
        }
    }
    let mut authorities = Vec::new();
    for ca in [Ca::Kubernetes, Ca::Etcd, Ca::FrontProxy] {
        if ca == Ca::Etcd && matches!(cluster.etcd, Etcd::External(_)) {
            continue;
        }
        match found::certificates(host, &PairFiles::of(layout, ca.file())) {
            Ok(found) => authorities.push(Row {
                name: name(ca),
                authority: "",
                not_after: found.map(|found| found[0].not_after),
                externally_managed: found::is_external(ca, layout, host)?,
            }),
            Err(problem) => damaged.push(problem),
        }
    }
    if damaged.is_empty() { Ok(Expirations { certificates, authorities, now }) } else { Err(unreadable(damaged)) }
}

/// The CA's name in commands.
fn name(ca: Ca) -> &'static str {
    match ca {
        Ca::Etcd => "etcd-ca",
        other => other.file(),
    }
}

fn unreadable(damaged: Vec<Problem>) -> Problem {
    match <[Problem; 1]>::try_from(damaged) {
        Ok([problem]) => problem,
        Err(damaged) => {
            let count = damaged.len();
            Problem::new("certificate-damaged", format!("{count} files with certificates cannot be used"))
                .why("each of them is told above")
                .fix("put the right file in place of each")
                .with_findings(damaged)
        }
    }
}

impl Expirations {
    /// kubeadm's two tables.
    pub fn text(&self) -> String {
        let mut certificates = vec![
            ["CERTIFICATE", "EXPIRES", "RESIDUAL TIME", "CERTIFICATE AUTHORITY", "EXTERNALLY MANAGED"].map(Into::into),
        ];
        certificates.extend(self.certificates.iter().map(|row| match row.not_after {
            Some(not_after) => {
                [row.name.to_owned(), date(not_after), self.residual(not_after), row.authority.to_owned(), yes_no(row)]
            }
            None => missing(row),
        }));
        let mut authorities =
            vec![["CERTIFICATE AUTHORITY", "EXPIRES", "RESIDUAL TIME", "EXTERNALLY MANAGED"].map(Into::into)];
        authorities.extend(self.authorities.iter().map(|row| match row.not_after {
            Some(not_after) => [row.name.to_owned(), date(not_after), self.residual(not_after), yes_no(row)],
            None => missing(row),
        }));
        format!("{}\n{}", table(&certificates), table(&authorities))
    }

    /// kubeadm's object.
    pub fn value(&self) -> Value {
        let rows = |rows: &[Row]| rows.iter().map(|row| self.row_value(row)).collect::<Vec<_>>();
        json!({
            "apiVersion": "output.kubeadm.k8s.io/v1alpha3",
            "kind": "CertificateExpirationInfo",
            "certificates": rows(&self.certificates),
            "certificateAuthorities": rows(&self.authorities),
        })
    }

    fn row_value(&self, row: &Row) -> Value {
        let mut value = json!({
            "name": row.name,
            "expirationDate": row.not_after.map(Clock::rfc3339),
            "residualTime": row.not_after.map_or(0, |not_after| not_after.0 - self.now.0),
            "externallyManaged": row.externally_managed,
            "missing": row.not_after.is_none(),
        });
        if !row.authority.is_empty() {
            value["caName"] = json!(row.authority);
        }
        value
    }

    /// Kubernetes' short form of a duration, as `kubectl get` shows ages.
    fn residual(&self, not_after: Clock) -> String {
        const MINUTE: i64 = 60;
        const HOUR: i64 = 60 * MINUTE;
        const DAY: i64 = 24 * HOUR;
        match not_after.0 - self.now.0 {
            // kubeadm allows for clocks that differ by a second.
            ..-1 => "<invalid>".to_owned(),
            -1 => "0s".to_owned(),
            left @ 0..MINUTE => format!("{left}s"),
            left @ MINUTE..HOUR => format!("{}m", left / MINUTE),
            left @ HOUR..DAY => format!("{}h", left / HOUR),
            left if left < 365 * DAY => format!("{}d", left / DAY),
            left => format!("{}y", left / DAY / 365),
        }
    }
}

fn missing<const N: usize>(row: &Row) -> [String; N] {
    let mut cells = [const { String::new() }; N];
    cells[0] = format!("!MISSING! {}", row.name);
    cells
}

fn yes_no(row: &Row) -> String {
    if row.externally_managed { "yes" } else { "no" }.to_owned()
}

/// `Nov 22, 2027 20:53 UTC`.
fn date(moment: Clock) -> String {
    let form = format_description!("[month repr:short] [day], [year] [hour]:[minute] UTC");
    OffsetDateTime::from_unix_timestamp(moment.0).ok().and_then(|moment| moment.format(form).ok()).unwrap_or_default()
}

/// Columns as wide as their widest cell, three blanks apart.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = (0..N).map(|column| format!("{:<1$}", row[column], width(column))).collect();
        text.push_str(cells.join("   ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
#[path = "expiration_tests.rs"]
mod tests;
