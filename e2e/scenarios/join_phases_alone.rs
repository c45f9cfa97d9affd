//! Commands of their own, as automation runs them: a second control-plane node joins phase by phase, with what
//! `init phase upload-certs` and `token create` print. Each phase runs dry, for real, and again; then the node is what a
//! whole `join --control-plane` makes of it.

use crate::dry_run::{differences, objects, rehearsed};
use crate::ha::{ENDPOINT, is_known, point_to, serves};
use crate::{events, only_kubestrap, scenario};
use kubestrap_e2e::cluster::{Cluster, SETTLES};
use kubestrap_e2e::command::Output;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::run::Run;
use kubestrap_e2e::say;
use kubestrap_e2e::tool::{JoinCommand, PATIENCE, Tool};
use kubestrap_e2e::wait::wait_for;
use serde_json::Value;
use std::time::Instant;

const CERTIFICATE_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// What a join writes, without what kubelet and components write while they run; the content of what every join writes
/// the same.
const WRITTEN: &str = r"
cd /etc/kubernetes
kubelet='/var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env'
find . /var/lib/kubelet/pki $kubelet -printf '%p %y %m %U:%G %l\n' | sed 's/[0-9]\{4\}-[0-9-]*\.pem/DATE.pem/g' | sort
sha256sum manifests/* kubelet.conf pki/ca.* pki/front-proxy-ca.* pki/etcd/ca.* pki/sa.* $kubelet
";

/// What a dry run could change on a node on which kubelet and control plane may be starting at the same time.
const LOOK_AT_NODE: &str = r"
find /etc /opt /root /srv /home /usr/libexec /usr/local /tmp /var/lib/kubestrap /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env \
    /var/lib/kubelet/pki -xdev -printf '%p %y %i %s %m %U:%G %T@ %C@ %l\n' 2>/dev/null |
    grep -v '^/var/lib/kubelet/pki \|/kubelet\.\(crt\|key\) ' | sort  # the kubelet makes its own pair
find /var/lib -mindepth 1 -maxdepth 1 | sort
systemctl is-enabled kubelet
";

const MEMBERS: &str = r"
cd /etc/kubernetes/pki/etcd
curl --silent --show-error --fail --cacert ca.crt --cert healthcheck-client.crt --key healthcheck-client.key \
    --data '{}' https://127.0.0.1:2379/v3/cluster/member/list
";

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_control_plane_node_joins_phase_by_phase_with_what_single_commands_print() {
    if !only_kubestrap() {
        return;
    }
    scenario("a_control_plane_node_joins_phase_by_phase_with_what_single_commands_print", |run| {
        let mut nodes = Node::create_all(run, &["alone-1", "alone-2"])?.into_iter();
        let (Some(first), Some(second)) = (nodes.next(), nodes.next()) else {
            return Err(Failure::new("there are no nodes", ""));
        };
        for node in [&first, &second] {
            point_to(node, &first)?;
        }
        let flags = ["--control-plane-endpoint", ENDPOINT];
        let output = Tool::Kubestrap.init(&first, &flags)?.success()?;
        let cluster = Cluster::adopt(run, first, JoinCommand::parse(&output.stdout)?)?;
        // The endpoint's name is known on the nodes only.
        let server = format!("https://{}:6443", cluster.control_plane.address);
        cluster.kubectl(&["config", "set-cluster", "kubernetes", "--server", &server])?;

        let mut lap = Lap(Instant::now());
        certificates_are_uploaded(&cluster)?;
        lap.say("init phase upload-certs");
        let join = tokens_are_made_listed_and_deleted(&cluster)?;
        lap.say("token create, list, delete");
        a_user_gets_a_kubeconfig(run, &cluster)?;
        lap.say("kubeconfig user");
        joins_by_phases(&cluster, &second, &join)?;
        lap.say("join phase …");
        cluster.lay_pod_network_with(&second)?;
        for node in [&cluster.control_plane, &second] {
            serves(&cluster, node)?;
            is_known(&cluster, node)?;
            cluster.wait_node_ready(&node.name)?;
        }
        lap.say("both nodes Ready");
        have_votes(&cluster.control_plane, &["alone-1", "alone-2"])?;
        let by_phases = second.script(WRITTEN)?.stdout;
        Tool::Kubestrap.reset(&second, &[])?.success()?;
        have_votes(&cluster.control_plane, &["alone-1"])?;
        lap.say("reset of the second");
        Tool::Kubestrap.join_control_plane(&second, &join)?.success()?;
        let whole = second.script(WRITTEN)?.stdout;
        expect(by_phases == whole, "the whole join writes other files", differences(&by_phases, &whole))?;
        lap.say("whole join");
        Tool::Kubestrap.reset(&second, &[])?.success()?;
        Tool::Kubestrap.reset(&cluster.control_plane, &[])?.success()?;
        lap.say("reset of both");
        second.destroy()?;
        cluster.destroy()
    });
}

/// Prints how long things took.
struct Lap(Instant);

impl Lap {
    fn say(&mut self, what: &str) {
        say(&format!("{what:<28} {:.1} s", self.0.elapsed().as_secs_f32()));
        self.0 = Instant::now();
    }
}

/// Twice with keys drawn by chance, of which the last is printed; then with a given key, which opens what is left.
fn certificates_are_uploaded(cluster: &Cluster) -> Result<(), Failure> {
    let node = &cluster.control_plane;
    let upload = ["kubestrap", "init", "phase", "upload-certs", "--upload-certs"];
    let secret = || cluster.object(&["-n", "kube-system", "get", "secret", "kubeadm-certs"]);
    let mut entries = Vec::new();
    for _ in 0..2 {
        let output = node.ok(&upload)?;
        let key = output.line();
        expect(
            key.len() == 64 && key.chars().all(|c| c.is_ascii_hexdigit()),
            "no certificate key is printed",
            &output,
        )?;
        entries.push((key.to_owned(), meaning(&secret()?)));
    }
    expect(entries[0].0 != entries[1].0, "two uploads were sealed with the same random key", &entries[0].0)?;
    let (first, second) = (&entries[0].1, &entries[1].1);
    expect(first == second, "a second upload leaves another object", format!("{first}\n{second}"))?;

    let given = [&upload[..], &["--certificate-key", CERTIFICATE_KEY, "-o", "json"]].concat();
    node.ok(&given)?;
    let changed = events::changes(&node.ok(&given)?)?;
    expect(changed.is_empty(), "with the same key nothing is to be uploaded again", changed.join("\n"))?;
    expect(meaning(&secret()?) == *second, "an upload with a key leaves another object", secret()?)
}

/// All of an uploaded Secret but its sealed content, which is new each time, and what the API server counts.
fn meaning(secret: &Value) -> Value {
    let sizes = |(entry, sealed): (&String, &Value)| (entry.clone(), sealed.as_str().map_or(0, str::len).into());
    let data = secret["data"].as_object().map(|data| data.iter().map(sizes).collect::<serde_json::Map<_, _>>());
    serde_json::json!({"type": secret["type"], "data": data, "owners": secret["metadata"]["ownerReferences"]})
}

/// Gives the printed line for a control-plane node.
fn tokens_are_made_listed_and_deleted(cluster: &Cluster) -> Result<JoinCommand, Failure> {
    let node = &cluster.control_plane;
    let token = |words: &str| node.ok(&[&["kubestrap", "token"], &words.split(' ').collect::<Vec<_>>()[..]].concat());
    let output = token(&format!("create --print-join-command --certificate-key {CERTIFICATE_KEY}"))?;
    let join = JoinCommand::parse_control_plane(&output.stdout)?;
    expect(output.stdout.lines().count() == 1, "there is more than the line", &output)?;

    let made = token("create --ttl 90m --usages signing --description by-hand")?;
    let made = made.line().to_owned();
    let id = made.split('.').next().unwrap_or_default();
    let secret = format!("bootstrap-token-{id}");
    let stored = cluster.object(&["-n", "kube-system", "get", "secret", &secret])?;
    expect(stored["type"] == "bootstrap.kubernetes.io/token", "the token's Secret has another type", &stored)?;
    expect(stored["data"].get("usage-bootstrap-authentication").is_none(), "the token may authenticate", &stored)?;

    let table = token("list")?;
    let row = table.stdout.lines().find(|line| line.starts_with(&made)).unwrap_or_default();
    let cells: Vec<&str> = row.split_whitespace().collect();
    let is_row = matches!(&cells[..], [_, "1h", _, "signing", "by-hand", "<none>"]);
    expect(is_row, "the table has no such row", &table)?;
    let listed = listed(&token("list -o json")?)?;
    let object = listed.iter().find(|object| object["token"] == *made);
    let object = object.ok_or_else(|| Failure::new("JSON lacks the token", format!("{listed:?}")))?;
    expect(object["kind"] == "BootstrapToken" && object["description"] == "by-hand", "JSON says other things", object)?;
    expect(object["usages"] == serde_json::json!(["signing"]), "JSON has other usages", object)?;

    let deleted = token(&format!("delete {id}"))?;
    expect(deleted.stdout.contains(id), "the deleted token is not named", &deleted)?;
    let rest = token("list")?;
    expect(!rest.stdout.contains(&made), "the deleted token is still there", &rest)?;
    Ok(join)
}

/// `-o json` of a list: objects, one after the other.
fn listed(output: &Output) -> Result<Vec<Value>, Failure> {
    let objects: Result<_, _> = serde_json::Deserializer::from_str(&output.stdout).into_iter().collect();
    objects.map_err(|error| Failure::new("no JSON", format!("{error}\n{output}")))
}

/// An administrator may all that groups may; others what RoleBindings grant them.
fn a_user_gets_a_kubeconfig(run: &Run, cluster: &Cluster) -> Result<(), Failure> {
    let file = |name: &str, more: &[&str]| {
        let words = ["kubestrap", "kubeconfig", "user", "--client-name", name];
        let text = cluster.control_plane.ok(&[&words[..], more].concat())?.stdout;
        let address = cluster.control_plane.address.to_string();
        let path = run.record.state().join(format!("{name}.conf"));
        std::fs::write(&path, text.replace(ENDPOINT, &address))
            .map_err(|error| Failure::new("cannot write a kubeconfig", error))?;
        Ok(path.display().to_string())
    };
    let chief = file("chief", &["--org", "system:masters"])?;
    cluster.kubectl(&["--kubeconfig", &chief, "auth", "can-i", "*", "*"])?;
    let viewer = file("viewer", &["--validity-period", "1h"])?;
    let pods = ["--kubeconfig", &viewer, "-n", "kube-system", "get", "pods"];
    let refused = cluster.kubectl(&pods);
    expect(refused.is_err(), "somebody without rights may look", "")?;
    let grant = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        cluster.kubectl(&[&["-n", "kube-system", "create"], &words[..]].concat())
    };
    grant("role viewer --verb=list --resource=pods")?;
    grant("rolebinding viewer --role=viewer --user=viewer")?;
    wait_for("the rights of viewer", SETTLES, || cluster.kubectl(&pods))?;
    Ok(())
}

/// All phases of `join`, in the order of the catalogue.
fn joins_by_phases(cluster: &Cluster, node: &Node, join: &JoinCommand) -> Result<(), Failure> {
    let catalogue = node.ok(&["kubestrap", "phase", "-o", "json"])?;
    let catalogue: Value =
        serde_json::from_str(&catalogue.stdout).map_err(|error| Failure::new("the catalogue is no JSON", error))?;
    let phases = catalogue["phases"].as_array().into_iter().flatten();
    let phases: Vec<&str> = phases
        .filter(|phase| phase["workflow"] == "join" && phase["group"] == false)
        .filter_map(|phase| phase["phase"].as_str())
        .collect();
    expect(phases.len() > 10, "the catalogue lacks phases of join", &catalogue)?;
    let mut wrong = Vec::new();
    for phase in phases {
        wrong.extend(three_times(cluster, node, phase, join).map_err(|failure| Failure::new(phase, failure))?);
    }
    let flags: Vec<&str> = join.arguments.iter().map(String::as_str).collect();
    let words = [&["kubestrap", "join"], &flags[..], &["-o", "json"]].concat();
    wrong.extend(events::changes(&node.run_with(&words, b"", PATIENCE)?.success()?)?);
    expect(wrong.is_empty(), "phases alone are not what the whole is", wrong.join("\n"))
}

/// Dry, for real, and again: what was wrong about it.
fn three_times(cluster: &Cluster, node: &Node, phase: &str, join: &JoinCommand) -> Result<Vec<String>, Failure> {
    let path = phase.split('/');
    let flags = join.arguments.iter().map(String::as_str);
    let words: Vec<&str> = ["kubestrap", "join", "phase"].into_iter().chain(path).chain(flags).collect();
    let words = [&words[..], &["-o", "json"]].concat();
    let mut wrong = Vec::new();

    let before = look(cluster, node)?;
    let dry = node.run_with(&[&words[..], &["--dry-run"]].concat(), b"", PATIENCE)?.success()?;
    let after = look(cluster, node)?;
    if before != after {
        wrong.push(format!("{phase} --dry-run changed something: {}", differences(&before, &after)));
    }
    let foreseen = rehearsed(&dry)?["changes"].as_array().map_or(0, Vec::len);

    let real = node.run_with(&words, b"", PATIENCE)?.success()?;
    let finished: Vec<Value> =
        events::of(&real)?.into_iter().filter(|event| event["event"] == "phase-finished").collect();
    expect(finished.len() == 1 && finished[0]["phase"] == phase, "another phase has run", &real)?;
    let made = finished[0]["changes"].as_u64().unwrap_or_default();
    if (foreseen == 0) != (made == 0) {
        wrong.push(format!("{phase}: {foreseen} changes foreseen, {made} made"));
    }
    let again = node.run_with(&words, b"", PATIENCE)?.success()?;
    wrong.extend(events::changes(&again)?.into_iter().map(|line| format!("again: {line}")));
    let seconds = [&dry, &real, &again].map(|output| format!("{:.1}", output.took.as_secs_f32())).join(", ");
    say(&format!("{phase:<36} {foreseen:>2} changes foreseen, {made:>2} made; {seconds} s"));
    Ok(wrong)
}

/// Node and cluster: what a join could change, without what controllers do of themselves.
fn look(cluster: &Cluster, node: &Node) -> Result<String, Failure> {
    let objects = objects(cluster, "configmaps,csr", "resourceVersion")?;
    let is_joins = |line: &&str| line.contains("/node-csr-") || line.contains("/kubeadm-config ");
    let mut lines: Vec<String> = objects.lines().filter(is_joins).map(str::to_owned).collect();
    let nodes = cluster.object(&["get", "nodes"])?;
    for node in nodes["items"].as_array().into_iter().flatten() {
        let marks = [&node["metadata"]["labels"], &node["metadata"]["annotations"]];
        let names = marks.iter().filter_map(|marks| marks.as_object()).flat_map(|marks| marks.keys());
        let ours = names.filter(|name| name.starts_with("node-role.") || name.starts_with("kubeadm."));
        lines.extend(ours.map(|name| format!("{} {name}", node["metadata"]["name"])));
    }
    lines.push(cluster.control_plane.script(MEMBERS)?.stdout);
    lines.push(node.script(LOOK_AT_NODE)?.stdout);
    Ok(lines.join("\n"))
}

/// These are the members of etcd, and none is a learner.
fn have_votes(node: &Node, names: &[&str]) -> Result<(), Failure> {
    let answer = node.script(MEMBERS)?;
    let list: Value = serde_json::from_str(&answer.stdout).map_err(|error| Failure::new("no JSON", error))?;
    let members = list["members"].as_array().cloned().unwrap_or_default();
    let mut voting: Vec<&str> = members
        .iter()
        .filter(|member| member["isLearner"] != true)
        .filter_map(|member| member["name"].as_str())
        .collect();
    voting.sort_unstable();
    expect(voting == names && members.len() == names.len(), "etcd has other members", answer)
}
