//! Other people's things on a node: files, a container, a chain with a rule, a folder mounted below the kubelet's.

use kubestrap_e2e::failure::Failure;
use kubestrap_e2e::nodes::Node;

/// Lays them there. Can be done again: after a power cut, what only lived in memory is laid anew.
pub(crate) fn lay(node: &Node) -> Result<(), Failure> {
    node.script(THINGS).map(|_| ())
}

/// They are there, and those that run do.
pub(crate) fn works(node: &Node) -> Result<(), Failure> {
    node.script(WORK).map(|_| ())
}

const THINGS: &str = r#"
for path in /etc/kubernetes/notes.txt /etc/kubernetes/pki/notes.txt /var/lib/kubelet/notes.txt /opt/notes.txt \
    /srv/data/notes.txt /etc/cni/net.d/99-foreign.conf; do
    mkdir -p "$(dirname $path)"
    test -e $path || echo '{"cniVersion": "0.4.0", "name": "foreign", "type": "loopback"}' >$path
done
mkdir -p /var/lib/kubelet/vol
mountpoint -q /var/lib/kubelet/vol || mount --bind /srv/data /var/lib/kubelet/vol
if ! iptables -C INPUT -j FOREIGN 2>/dev/null; then
    iptables -N FOREIGN
    iptables -A FOREIGN -s 192.0.2.1 -j DROP
    iptables -A INPUT -j FOREIGN
fi
if ! ctr --namespace k8s.io tasks ls | grep -q '^foreign '; then
    ctr --namespace k8s.io containers rm foreign 2>/dev/null || true
    ctr --namespace k8s.io run --detach docker.io/e2e/web:1 foreign
fi
"#;

const WORK: &str = "
iptables -C INPUT -j FOREIGN
iptables -C FOREIGN -s 192.0.2.1 -j DROP
test -s /var/lib/kubelet/vol/notes.txt
ctr --namespace k8s.io tasks ls | grep -q '^foreign .*RUNNING'
";
