//! What only this run knows: the bootstrap tokens to make. Draws them where none is given.

use serde_json::{Value, json};

use super::cluster::items;
use super::remove::administrator;
use super::{INVALID, read_file};
use crate::config::draft::{Draft, Origin, Setting};
use crate::config::duration::parse_duration;
use crate::config::findings::Findings;
use crate::config::{
    BootstrapToken, CreateToken, DeleteTokens, InitFlags, TokenDeleteFlags, TokenFlags, TokenId, TokenSpec,
};
use crate::problem::Problem;
use crate::world::{Clock, Entropy, Host, Secret};

/// The group whose members may ask for a node's certificate.
const NODE_GROUP: &str = "system:bootstrappers:kubeadm:default-node-token";
const USAGES: [&str; 2] = ["signing", "authentication"];

const BAD_TOKEN: (&str, &str) = ("config-bad-token", "a bootstrap token cannot be used");

/// What flags say of the first token, with the name of the flag where commands differ in it.
#[derive(Default, Clone, Copy)]
struct Flags<'a> {
    token: Option<(&'a str, &'static str)>,
    ttl: Option<(&'a str, &'static str)>,
    description: Option<&'a str>,
    usages: &'a [String],
    groups: &'a [String],
}

/// The tokens to make; one with kubeadm's defaults where none is described. The flags speak of the first one.
pub(super) fn tokens(
    draft: &Draft,
    flags: &InitFlags,
    (now, entropy): (Clock, &dyn Entropy),
    findings: &mut Findings,
) -> Vec<TokenSpec> {
    let flags = Flags {
        token: flags.token.as_deref().map(|token| (token, "--token")),
        ttl: flags.token_ttl.as_deref().map(|ttl| (ttl, "--token-ttl")),
        ..Flags::default()
    };
    specs(draft, flags, (now, entropy), findings)
}

fn specs(
    draft: &Draft,
    flags: Flags<'_>,
    (now, entropy): (Clock, &dyn Entropy),
    findings: &mut Findings,
) -> Vec<TokenSpec> {
    let origin = draft.origin(Setting::BootstrapTokens);
    let none = json!({});
    let mut described: Vec<&Value> = items(draft, Setting::BootstrapTokens).collect();
    if described.is_empty() {
        described.push(&none);
    }
    let read = described.into_iter().enumerate().filter_map(|(index, fields)| {
        let flags = if index == 0 { flags } else { Flags::default() };
        let described = Described { fields, origin: origin.part(&format!("[{index}]")), flags };
        let token = described.token(entropy, findings);
        let expires = described.expires(now, findings);
        let usages = described.usages(findings);
        let groups = described.groups(&usages, findings);
        let description = flags.description.or_else(|| described.text("description").map(|(text, _)| text));
        let description = description.unwrap_or_default().to_owned();
        Some(TokenSpec { token: token?, description, expires, usages, groups })
    });
    read.collect()
}

/// The job of `token create`. Of the file only the tokens count.
///
/// # Errors
/// One problem `config-invalid` with a finding per mistake, or why the file could not be read.
pub fn resolve_token(
    flags: &TokenFlags,
    host: &dyn Host,
    now: Clock,
    entropy: &dyn Entropy,
) -> Result<CreateToken, Problem> {
    let findings = &mut Findings::default();
    let wanted = ["InitConfiguration", "ClusterConfiguration"];
    let draft = read_file(flags.config.as_deref(), &wanted, host, findings)?.draft;
    let said = Flags {
        token: flags.token.as_deref().map(|token| (token, "TOKEN")),
        ttl: flags.ttl.as_deref().map(|ttl| (ttl, "--ttl")),
        description: flags.description.as_deref(),
        usages: &flags.usages,
        groups: &flags.groups,
    };
    let tokens = specs(&draft, said, (now, entropy), findings);
    let certificate_key = flags.certificate_key.as_ref().map(|key| {
        super::certificate_key::check(key, &Origin::Flag("--certificate-key"), findings);
        Secret::new(key.clone())
    });
    let job = CreateToken {
        tokens,
        kubeconfig: administrator(flags.kubeconfig.as_ref()),
        print_join_command: flags.print_join_command,
        certificate_key,
    };
    std::mem::take(findings).finish(Some(job), INVALID.0, INVALID.1)
}

/// The job of `token delete`.
///
/// # Errors
/// One problem `config-invalid` with a finding per mistake.
pub fn resolve_token_delete(flags: &TokenDeleteFlags) -> Result<DeleteTokens, Problem> {
    let findings = &mut Findings::default();
    let what = (BAD_TOKEN.0, "a bootstrap token cannot be named so");
    let mut ids: Vec<TokenId> = Vec::new();
    for text in &flags.tokens {
        let id = findings.keep(TokenId::parse(text), what, &Origin::Flag("TOKEN"), "abcdef");
        ids.extend(id.filter(|id| !ids.contains(id)));
    }
    let job = DeleteTokens { ids, kubeconfig: administrator(flags.kubeconfig.as_ref()) };
    std::mem::take(findings).finish(Some(job), INVALID.0, INVALID.1)
}

/// One entry of `bootstrapTokens`, with what flags say instead.
struct Described<'a> {
    fields: &'a Value,
    origin: Origin,
    flags: Flags<'a>,
}

impl Described<'_> {
    fn text(&self, field: &str) -> Option<(&str, Origin)> {
        let text = self.fields[field].as_str().filter(|text| !text.is_empty())?;
        Some((text, self.origin.part(&format!(".{field}"))))
    }

    fn token(&self, entropy: &dyn Entropy, findings: &mut Findings) -> Option<BootstrapToken> {
        let given = self.flags.token.map(|(text, flag)| (text, Origin::Flag(flag))).or_else(|| self.text("token"));
        let Some((text, origin)) = given else {
            return Some(BootstrapToken::random(|| {
                let mut byte = [0];
                entropy.bytes(&mut byte);
                byte[0]
            }));
        };
        let token = BootstrapToken::parse(text).ok();
        if token.is_none() {
            let mut finding = Problem::new(BAD_TOKEN.0, BAD_TOKEN.1)
                .why("it must have 6 characters, a dot and 16 characters, all of a-z and 0-9")
                .fix("a new one: kubestrap token generate");
            finding.place = origin.place();
            findings.add(finding);
        }
        token
    }

    fn expires(&self, now: Clock, findings: &mut Findings) -> Option<i64> {
        let flag = self.flags.ttl.map(|(text, flag)| (text, Origin::Flag(flag)));
        let expires = self.text("expires").filter(|_| flag.is_none());
        let ttl = flag.or_else(|| self.text("ttl"));
        match (ttl, expires) {
            (Some(_), Some((_, origin))) => {
                let mut finding = Problem::new(BAD_TOKEN.0, BAD_TOKEN.1)
                    .why("ttl and expires exclude each other")
                    .fix("remove ttl or expires");
                finding.place = origin.place();
                findings.add(finding);
                None
            }
            (None, Some((text, origin))) => {
                let parsed =
                    Clock::parse_rfc3339(text).ok_or_else(|| format!("{text:?} is no moment as RFC 3339 has it"));
                findings.keep(parsed, BAD_TOKEN, &origin, "2030-01-01T00:00:00Z").map(|moment| moment.0)
            }
            (ttl, None) => {
                let (text, origin) = ttl.unwrap_or(("24h", Origin::Default));
                let what = ("config-bad-duration", "the validity of a bootstrap token cannot be used");
                let ttl = findings.keep(parse_duration(text), what, &origin, "24h0m0s")?;
                (!ttl.is_zero()).then(|| now.plus(ttl).0)
            }
        }
    }

    fn list(&self, field: &str, (said, flag): (&[String], &'static str)) -> Option<(Vec<String>, Origin)> {
        if !said.is_empty() {
            return Some((said.to_vec(), Origin::Flag(flag)));
        }
        let items = self.fields[field].as_array().filter(|items| !items.is_empty())?;
        let texts = items.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Some((texts, self.origin.part(&format!(".{field}"))))
    }

    fn usages(&self, findings: &mut Findings) -> Vec<String> {
        let Some((usages, origin)) = self.list("usages", (self.flags.usages, "--usages")) else {
            return USAGES.map(str::to_owned).to_vec();
        };
        for usage in usages.iter().filter(|usage| !USAGES.contains(&usage.as_str())) {
            let why = format!("{usage:?} is neither signing nor authentication");
            findings.wrong(BAD_TOKEN.0, BAD_TOKEN.1, &origin, why, "[signing, authentication]");
        }
        usages
    }

    /// Only who is authenticated by a token can be in a group.
    fn groups(&self, usages: &[String], findings: &mut Findings) -> Vec<String> {
        let authenticates = usages.iter().any(|usage| usage == "authentication");
        let Some((groups, origin)) = self.list("groups", (self.flags.groups, "--groups")) else {
            return if authenticates { vec![NODE_GROUP.to_owned()] } else { Vec::new() };
        };
        let example = format!("[{NODE_GROUP}]");
        for group in groups.iter().filter(|group| !is_token_group(group)) {
            let why = format!(
                "{group:?} does not begin with system:bootstrappers: or has characters besides a-z, 0-9, ':' and '-'"
            );
            findings.wrong(BAD_TOKEN.0, BAD_TOKEN.1, &origin, why, &example);
        }
        if !authenticates {
            let mut finding = Problem::new(BAD_TOKEN.0, BAD_TOKEN.1)
                .why("groups need the usage authentication")
                .fix("add authentication to the token's usages")
                .fix(match &origin {
                    Origin::Flag(flag) => format!("or leave {flag} out"),
                    field => format!("or {}", field.order("[]")),
                });
            finding.place = origin.place();
            findings.add(finding);
        }
        groups
    }
}

/// `system:bootstrappers:` and up to 256 of a-z, 0-9, colon and dash, the last no colon or dash.
fn is_token_group(group: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    group.strip_prefix("system:bootstrappers:").is_some_and(|rest| {
        rest.len() <= 256
            && rest.bytes().all(|byte| plain(byte) || byte == b':' || byte == b'-')
            && rest.bytes().last().is_some_and(plain)
    })
}
