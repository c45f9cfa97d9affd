//! Mistakes with `join`, made against the shared cluster: on the command line, with tokens and pins, and with servers
//! that are not what they seem. `FALSE_SERVER` answers like the cluster, but wrongly.

use super::{Case, make_mistakes};
use crate::{only_kubestrap, scenario, shared_cluster};
use kubestrap_e2e::cluster::{Cluster, SETTLES};
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::wait::wait_for;

const FILE: &str = "/run/kubestrap-e2e/join.yaml";

/// Serves a recorded answer to the read of cluster-info: $1 is its Date, the answer's body comes on standard input.
const FALSE_SERVER: &str = r#"
folder=/run/kubestrap-e2e/false; file=$folder/api/v1/namespaces/kube-public/configmaps/cluster-info
mkdir -p "$(dirname $file)"; cd $folder
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=false -days 1 -keyout key -out cert 2>/dev/null
cat >body
printf 'HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n' \
    "$1" "$(wc -c <body)" >$file; cat body >>$file
systemd-run --quiet --collect --unit=false-server --working-directory=$folder openssl s_server -quiet -accept 7443 -cert cert -key key -HTTP
until ss -ltn | grep -q :7443; do :; done"#;

const LISTEN: &str = "systemd-run --quiet --collect --unit=listener socat TCP-LISTEN:10250,fork EXEC:true; \
    until ss -ltn | grep -q :10250; do :; done";

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn join_refuses_every_mistake_and_leaves_the_node_as_it_was() {
    if !only_kubestrap() {
        return;
    }
    scenario("join_refuses_every_mistake_and_leaves_the_node_as_it_was", |run| {
        let cluster = shared_cluster(run)?;
        let node = Node::create(run, "join-refused")?;
        let known = Known::of(cluster)?;
        make_mistakes(&node, &[command_lines(&known), tokens(&known), servers(&known)].concat())?;
        node.destroy()
    });
}

/// What an honest join knows of the cluster, and a token that was valid once.
struct Known {
    server: String,
    token: String,
    pin: String,
    expired: String,
    cluster_info: String,
    worker: String,
}

impl Known {
    fn of(cluster: &Cluster) -> Result<Self, Failure> {
        let words = &cluster.join.arguments;
        let after = |flag: &str| {
            let at = words.iter().position(|word| word == flag);
            at.and_then(|at| words.get(at + 1)).cloned().unwrap_or_default()
        };
        let token = after("--token");
        Ok(Self {
            server: words.first().cloned().unwrap_or_default(),
            pin: after("--discovery-token-ca-cert-hash"),
            expired: expired_token(cluster)?,
            cluster_info: cluster
                .object(&["--namespace", "kube-public", "get", "configmap", "cluster-info"])?
                .to_string(),
            worker: cluster.workers.first().map(|node| node.name.clone()).unwrap_or_default(),
            token,
        })
    }

    fn id(&self) -> &str {
        self.token.split('.').next().unwrap_or_default()
    }

    fn join(&self, server: &str, token: &str, more: &str) -> String {
        format!("kubestrap join {server} --token {token} --discovery-token-ca-cert-hash {} {more}", self.pin)
    }

    fn honest(&self, more: &str) -> String {
        self.join(&self.server, &self.token, more)
    }
}

/// A token whose time is over and whose signature the cluster has taken back.
fn expired_token(cluster: &Cluster) -> Result<String, Failure> {
    let made = cluster.control_plane.ok(&["kubestrap", "token", "create", "--ttl", "1s"])?;
    let token = made.line().to_owned();
    let key = format!("jws-kubeconfig-{}", token.split('.').next().unwrap_or_default());
    wait_for("the signature of an expired token to be gone", SETTLES, || {
        let info = cluster.object(&["--namespace", "kube-public", "get", "configmap", "cluster-info"])?;
        expect(info["data"][&key].is_null(), "it is there", &info["data"])
    })?;
    Ok(token)
}

fn case(name: &'static str, command: String, code: i32, id: &'static str) -> Case {
    Case { name, command, code, id, ..Case::default() }
}

fn command_lines(known: &Known) -> Vec<Case> {
    let Known { server, token, pin, worker, .. } = known;
    let refused = |name, command, id| case(name, command, 3, id);
    vec![
        refused("endpoint without port", known.join("10.77.0.1", token, ""), "config-invalid/config-bad-endpoint"),
        refused("no endpoint", known.join("", token, ""), "config-invalid/config-missing-endpoint"),
        refused(
            "no token",
            format!("kubestrap join {server} --discovery-token-ca-cert-hash {pin}"),
            "config-invalid/config-missing-token",
        ),
        refused("token of another form", known.join(server, "abcdef.0123", ""), "config-invalid/config-bad-token"),
        refused("no pin", format!("kubestrap join {server} --token {token}"), "config-invalid/config-missing-ca-pin"),
        refused(
            "pin of another form",
            format!("kubestrap join {server} --token {token} --discovery-token-ca-cert-hash sha256:12"),
            "config-invalid/config-bad-ca-pin",
        ),
        case("unknown flag", known.honest("--control-plain"), 1, "command-line"),
        case("name of a ready node", known.honest(&format!("--node-name {worker}")), 1, "node-name-taken"),
        Case {
            before: "mkdir -p /etc/kubernetes; echo foreign >/etc/kubernetes/kubelet.conf".to_owned(),
            after: "rm -r /etc/kubernetes".to_owned(),
            ..case(
                "kubeconfig of another tool",
                known.honest(""),
                2,
                "preflight/FileAvailable--etc-kubernetes-kubelet.conf",
            )
        },
        Case {
            before: LISTEN.to_owned(),
            after: "systemctl stop listener".to_owned(),
            ..case("port 10250 is taken", known.honest(""), 2, "preflight/Port-10250")
        },
        Case {
            before: "systemctl stop containerd".to_owned(),
            after: "systemctl start containerd".to_owned(),
            ..case("no container runtime", known.honest(""), 2, "preflight/CRI")
        },
        case(
            "not root",
            format!("setpriv --reuid=65534 --regid=65534 --clear-groups {}", known.honest("")),
            2,
            "preflight/IsPrivilegedUser",
        ),
    ]
}

fn tokens(known: &Known) -> Vec<Case> {
    let forged = format!("{}.{}", known.id(), "0".repeat(16));
    let wrong_pin = format!("sha256:{}", "0".repeat(64));
    vec![
        case(
            "wrong pin",
            format!(
                "kubestrap join {} --token {} --discovery-token-ca-cert-hash {wrong_pin}",
                known.server, known.token
            ),
            1,
            "discovery-wrong-pin",
        ),
        case("forged secret of a token", known.join(&known.server, &forged, ""), 1, "discovery-bad-signature"),
        patient("unknown token", known, &known.server, "unknow.0123456789abcdef", "discovery-unknown-token"),
        patient("expired token", known, &known.server, &known.expired, "discovery-unknown-token"),
    ]
}

fn servers(known: &Known) -> Vec<Case> {
    let changed = known.cluster_info.replace("name: \\\"\\\"", "name: \\\"x\\\"");
    let here = known.join("127.0.0.1:7443", &known.token, "");
    let serve = |body: &str, date: &str| {
        format!(
            "cat >/run/false.sh <<'END'\n{FALSE_SERVER}\nEND\nsh -eu /run/false.sh \"$({date})\" <<'END'\n{body}\nEND"
        )
    };
    let date = "date -u +'%a, %d %b %Y %H:%M:%S GMT'";
    let stop = "systemctl stop false-server; rm -r /run/kubestrap-e2e/false /run/false.sh";
    vec![
        patient("nobody listens", known, "127.0.0.1:7443", &known.token, "discovery-unreachable"),
        Case {
            before: serve(&known.cluster_info, &format!("{date} -d '1 hour ago'")),
            after: stop.to_owned(),
            ..case("clocks differ by an hour", here.clone(), 1, "clock-skew")
        },
        Case {
            before: serve(&changed, date),
            after: stop.to_owned(),
            ..case("cluster-info was changed", here.clone(), 1, "discovery-bad-signature")
        },
        Case {
            before: serve(&known.cluster_info, date),
            after: stop.to_owned(),
            ..case("cluster-info from somebody else", here, 1, "discovery-certificate")
        },
    ]
}

/// A join that would try for five minutes, and is told to try for three seconds.
fn patient(name: &'static str, known: &Known, server: &str, token: &str, id: &'static str) -> Case {
    let text = format!(
        "apiVersion: kubeadm.k8s.io/v1beta2\nkind: JoinConfiguration\ndiscovery:\n  timeout: 3s\n  bootstrapToken:\n    \
         apiServerEndpoint: {server}\n    token: {token}\n    caCertHashes: [\"{}\"]\n",
        known.pin
    );
    Case {
        before: format!("mkdir -p /run/kubestrap-e2e; cat >{FILE} <<'END'\n{text}END"),
        ..case(name, format!("kubestrap join --config {FILE}"), 1, id)
    }
}
