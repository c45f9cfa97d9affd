//! `reset` when little works: every run puts other people's things around a node at random, breaks something, and resets
//! twice. All that is foreign is there afterwards; E2E_SEED repeats a choice, E2E_FULL=1 takes all that can be broken.
//!
//! Stand-ins: a tmpfs with a file held open is what an NFS share of somebody looks like to `umount`, and a FUSE file
//! system whose process never answers is what one of a dead NFS server looks like to whoever looks there.

use crate::{only_kubestrap, scenario, shared_cluster};
use kubestrap_e2e::chance::{Chance, is_full};
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::say;
use kubestrap_e2e::tool::Tool;
use std::time::Instant;

/// What can be broken, with the script that breaks it and the one that mends what the node itself needs afterwards.
const BREAKS: [(&str, &str, &str); 5] = [
    ("nothing", "true", "true"),
    ("no API server", "iptables -I OUTPUT -p tcp --dport 6443 -j REJECT", "iptables -D OUTPUT -p tcp --dport 6443 -j REJECT"),
    ("no container runtime", "systemctl stop containerd", "systemctl start containerd"),
    (
        "a full disk",
        "cp -a /var/lib/kubestrap /run/state; mount -t tmpfs -o size=128k tmpfs /var/lib/kubestrap
         cp -a /run/state/. /var/lib/kubestrap/; rm -r /run/state
         head -c 1M /dev/zero >/var/lib/kubestrap/filler || true",
        "umount /var/lib/kubestrap 2>/dev/null || true; rm -rf /var/lib/kubestrap",
    ),
    (
        "an expired certificate",
        "cd /run; openssl req -new -newkey rsa:2048 -nodes -subj /O=system:nodes/CN=old -keyout old.key -out old.csr 2>/dev/null
         : >old.index; echo 01 >old.serial
         printf '%s\n' '[ca]' default_ca=d '[d]' database=/run/old.index serial=/run/old.serial new_certs_dir=/run \
             default_md=sha256 policy=p '[p]' organizationName=supplied commonName=supplied >old.conf
         openssl ca -batch -config old.conf -selfsign -keyfile old.key -in old.csr -out old.crt -notext \
             -startdate 200101000000Z -enddate 200102000000Z 2>/dev/null
         cat old.crt old.key >/var/lib/kubelet/pki/old.pem
         ln -sfn /var/lib/kubelet/pki/old.pem /var/lib/kubelet/pki/kubelet-client-current.pem; rm old.* 01.pem",
        "true",
    ),
];

/// Folders that reset works in, and others beside and below them.
const FOLDERS: [&str; 12] = [
    "/etc/kubernetes",
    "/etc/kubernetes/manifests/old",
    "/etc/kubernetes/pki",
    "/etc/kubernetes/pki/mine",
    "/etc/kubernetes.bak",
    "/var/lib/kubelet",
    "/var/lib/kubelet/seccomp/profiles",
    "/var/lib/kubelet-mine",
    "/var/lib/etcd/snapshots",
    "/etc/cni/net.d",
    "/opt/cni/mine",
    "/var/lib/mine",
];

/// Where others mount things; not all of these are the kubelet's business.
const POINTS: [&str; 5] = [
    "/var/lib/kubelet/volume",
    "/var/lib/kubelet/pods/share",
    "/var/lib/kubelet/plugins_registry/share",
    "/var/lib/kubelet/device-plugins/share",
    "/var/lib/kubelet/pki/share",
];

/// $1: where a folder of the host is mounted, $2: where a share is, with a file that is held open, $3: where one is whose
/// server is dead.
const SURROUND: &str = r#"
mkdir -p "$1" "$2" "$3" /srv/precious
echo precious >/srv/precious/file
mount --bind /srv/precious "$1"
mount -t tmpfs share "$2"
echo shared >"$2/file"
systemd-run --quiet --unit=holds-share sh -c "exec sleep infinity <'$2/file'"
test -e /dev/fuse || mknod /dev/fuse c 10 229
systemd-run --quiet --unit=is-dead sh -c "exec 3<>/dev/fuse
    mount -i -t fuse.dead -o fd=3,rootmode=40000,user_id=0,group_id=0 dead '$3' && exec sleep infinity"
until grep -qF " $3 " /proc/self/mountinfo; do systemctl is-active --quiet is-dead; sleep 0.05; done
iptables -N FOREIGN; iptables -A FOREIGN -s 192.0.2.1 -j DROP; iptables -A INPUT -j FOREIGN
iptables -t nat -N MINE-KUBE; iptables -t nat -A PREROUTING -d 192.0.2.2 -j MINE-KUBE
ctr --namespace mine images ls -q >/dev/null
ctr --namespace k8s.io run --detach docker.io/e2e/web:1 foreign
"#;

const IS_INTACT: &str = r#"
grep -qx precious "$1/file" && grep -qx precious /srv/precious/file && grep -qx shared "$2/file"
grep -qF " $1 " /proc/self/mountinfo && grep -qF " $2 " /proc/self/mountinfo && grep -qF " $3 " /proc/self/mountinfo
systemctl is-active --quiet holds-share is-dead
iptables -C INPUT -j FOREIGN && iptables -C FOREIGN -s 192.0.2.1 -j DROP
iptables -t nat -C PREROUTING -d 192.0.2.2 -j MINE-KUBE
ctr --namespace k8s.io tasks ls | grep -q '^foreign .*RUNNING'
"#;

/// What is left of a node would be among this, one thing per line. Nothing here asks the dead share: `ls` reads names alone,
/// `find` would look at what is mounted there.
const OURS: &str = r#"
for path in /etc/kubernetes/kubelet.conf /etc/kubernetes/pki/ca.crt /var/lib/kubelet/config.yaml \
    /var/lib/kubelet/kubeadm-flags.env /var/lib/kubelet/cpu_manager_state /var/lib/kubestrap/journal; do
    test ! -e $path || echo $path
done
ls -A /var/lib/kubelet/pods 2>/dev/null | grep -v '^share' || true
iptables-save | grep -E '^:KUBE-' || true
systemctl is-active kubelet | grep -x active || true"#;

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn reset_keeps_what_is_foreign_whatever_is_broken() {
    if !only_kubestrap() {
        return;
    }
    scenario("reset_keeps_what_is_foreign_whatever_is_broken", |run| {
        let cluster = shared_cluster(run)?;
        let mut random = Chance::from_environment();
        let first = random.index(BREAKS.len());
        // Two of five in a run: with the seeds of a few runs all come round.
        let chosen = (0..if is_full() { BREAKS.len() } else { 2 }).map(|n| BREAKS[(first + n) % BREAKS.len()]);
        for (number, (name, break_it, mend)) in chosen.enumerate() {
            let started = Instant::now();
            let node = Node::create(run, &format!("harsh-{number}"))?;
            cluster.join_again(Tool::Kubestrap, &node)?;
            let files = scatter(&node, &mut random)?;
            let bind = POINTS[random.index(POINTS.len())];
            let share = format!("{}-nfs", POINTS[random.index(POINTS.len())]);
            let dead = format!("{}-dead", POINTS[random.index(POINTS.len())]);
            let sh = |script: &str| node.ok(&["sh", "-euc", script, "sh", bind, &share, &dead]);
            sh(SURROUND)?;
            node.script(break_it)?;
            for time in ["once", "again"] {
                let output = Tool::Kubestrap.reset(&node, &["--drain-timeout", "20s", "-o", "json"])?.success()?;
                expect(output.stdout.contains("left-in-place"), "reset does not list what it left", &output)?;
                for mount in [bind, &share, &dead] {
                    expect(output.stdout.contains(mount), format!("{mount} is not in the list"), &output)?;
                }
                say(&format!("reset {time} with {name}: {:.1} s", output.took.as_secs_f32()));
            }
            node.script(mend)?;
            sh(IS_INTACT)?;
            let now = digests(&node, &files)?;
            expect(now == files, "files of others differ", format!("{files}\n{now}"))?;
            let left = node.script(OURS)?;
            expect(left.stdout.trim().is_empty(), format!("reset with {name} left something of ours"), &left)?;
            cluster.kubectl(&["delete", "node", &node.name, "--ignore-not-found"])?;
            node.destroy()?;
            say(&format!("{name}: {:.1} s in all", started.elapsed().as_secs_f32()));
        }
        Ok(())
    });
}

/// Puts files of others there, and gives their digests, modes and owners.
fn scatter(node: &Node, random: &mut Chance) -> Result<String, Failure> {
    let names = ["ca.crt.old", "config.yaml.bak", "admin.conf.mine", ".hidden", "99-foreign.conf"];
    let files: Vec<String> =
        FOLDERS.iter().map(|folder| format!("{folder}/{}", names[random.index(names.len())])).collect();
    let script =
        r#"for file; do mkdir -p "$(dirname "$file")"; echo "of others $file" >"$file"; chmod 640 "$file"; done"#;
    let words: Vec<&str> = ["sh", "-euc", script, "sh"].into_iter().chain(files.iter().map(String::as_str)).collect();
    node.ok(&words)?;
    digests(node, &files.join("\n"))
}

/// Of each path, which is the last word of a line, what is there now.
fn digests(node: &Node, lines: &str) -> Result<String, Failure> {
    let paths: Vec<&str> = lines.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let script = r#"for file; do echo "$(stat -c '%a %u:%g' "$file") $(sha256sum "$file")"; done"#;
    let words: Vec<&str> = ["sh", "-euc", script, "sh"].into_iter().chain(paths).collect();
    Ok(node.ok(&words)?.stdout.trim().to_owned())
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn init_on_a_full_disk_says_so_and_goes_on_when_there_is_space() {
    if !only_kubestrap() {
        return;
    }
    scenario("init_on_a_full_disk_says_so_and_goes_on_when_there_is_space", |run| {
        let node = Node::create(run, "full-disk")?;
        node.script("mkdir -p /etc/kubernetes; mount -t tmpfs -o size=32k tmpfs /etc/kubernetes")?;
        let failed = Tool::Kubestrap.init(&node, &[])?;
        expect(failed.code == Some(1), "init does not fail on a full disk", &failed)?;
        expect(failed.stderr.contains("disk-full"), "the full disk is not named", &failed)?;
        expect(failed.stderr.contains("df -h /etc/kubernetes"), "nothing says where to look", &failed)?;
        let half = node.script("find /etc/kubernetes -name '.*.kubestrap-*' -o -type f -size 0")?;
        expect(half.stdout.trim().is_empty(), "something is half-written", &half)?;
        say(&format!("init on a full disk: {:.1} s", failed.took.as_secs_f32()));
        node.script("mount -o remount,size=16m /etc/kubernetes")?;
        let output = Tool::Kubestrap.init(&node, &[])?.success()?;
        say(&format!("init after there is space: {:.1} s", output.took.as_secs_f32()));
        // What ran stops with the node's own API server: reset has nobody to ask, and no runtime either.
        node.script("systemctl stop kubelet; for task in $(ctr -n k8s.io tasks ls -q); do ctr -n k8s.io tasks kill -s KILL $task || true; done")?;
        for time in ["once", "again"] {
            let output = Tool::Kubestrap.reset(&node, &[])?.success()?;
            say(&format!("reset {time} with everything stopped: {:.1} s", output.took.as_secs_f32()));
        }
        let left = node.script("find /etc/kubernetes /var/lib/etcd -type f")?;
        expect(left.stdout.trim().is_empty(), "files are left", &left)?;
        node.destroy()
    });
}
