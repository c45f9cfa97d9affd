//! The faults: how a node is broken, the command that meets it, and the ids that name the cause rightly. Faults that
//! change the cluster also say how it is mended. Scripts are those of a shell, with the words of `WORDS`.

/// What runs on the broken node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Init,
    /// A worker's, into a cluster that is well.
    Join,
}

/// One fault. Empty fields say nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub name: &'static str,
    pub command: Command,
    /// Run on the node before the command.
    pub before: &'static str,
    /// Run on the cluster's control-plane node before the command.
    pub on_cluster: &'static str,
    /// Takes `on_cluster` back.
    pub mends_cluster: &'static str,
    /// Fields of InitConfiguration.
    pub init: &'static str,
    /// Fields of ClusterConfiguration.
    pub cluster: &'static str,
    /// Fields of KubeletConfiguration.
    pub kubelet: &'static str,
    /// Further words of the command; all of them for `join`.
    pub words: &'static str,
    /// Variables of the command's environment.
    pub environment: &'static str,
    /// The ids that are right.
    pub ids: &'static [&'static str],
    /// Mends the node; the same command must succeed then.
    pub mends: &'static str,
    /// The tools wait for minutes, as they must.
    pub takes_minutes: bool,
}

const INIT: Fault = Fault {
    name: "",
    command: Command::Init,
    before: "",
    on_cluster: "",
    mends_cluster: "",
    init: "",
    cluster: "",
    kubelet: "",
    words: "",
    environment: "",
    ids: &[],
    mends: "",
    takes_minutes: false,
};

const JOIN: Fault =
    Fault { command: Command::Join, words: "{server} --token {token} --discovery-token-ca-cert-hash {pin}", ..INIT };

/// Words that the scripts use.
pub(super) const WORDS: &str = r#"
# at_sight FILE COMMAND...: in the background, as soon as there is such a file
at_sight() { file=$1; shift; systemd-run --quiet --collect sh -c "until test -e $file; do sleep 0.05; done; $*"; }
# listen PORT: a program that holds it
listen() {
    systemd-run --quiet --collect --unit=listener-$1 socat TCP-LISTEN:$1,fork,reuseaddr EXEC:true
    until ss -ltn | grep -q ":$1 "; do sleep 0.05; done
}
# containerd_with SED-SCRIPT: another configuration of containerd
containerd_with() { sed -i "$1" /etc/containerd/config.toml; systemctl restart containerd; }
# small_disk FOLDER SIZE: a file system of its own with so much space
small_disk() { mkdir -p $1; mount -t tmpfs -o size=$2,mode=0700 small $1; }
# ca NAME FROM UNTIL: a CA that a user brings along
ca() {
    mkdir -p /etc/kubernetes/pki; cd /etc/kubernetes/pki
    openssl req -new -newkey rsa:2048 -nodes -subj /CN=kubernetes -keyout $1.key -out /run/ca.csr 2>/dev/null
    : >/run/ca.index; echo 01 >/run/ca.serial
    printf '%s\n' '[ca]' default_ca=d '[d]' database=/run/ca.index serial=/run/ca.serial new_certs_dir=/run default_md=sha256 \
        policy=p x509_extensions=e '[p]' commonName=supplied '[e]' basicConstraints=critical,CA:true \
        keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign >/run/ca.conf
    openssl ca -batch -config /run/ca.conf -selfsign -keyfile $1.key -in /run/ca.csr -out $1.crt -notext \
        -startdate $(date -u -d "$2" +%y%m%d%H%M%SZ) -enddate $(date -u -d "$3" +%y%m%d%H%M%SZ) 2>/dev/null
}
# serving CA NAMES: the API server's certificate, signed by that CA, for these names
serving() {
    cd /etc/kubernetes/pki
    openssl req -new -newkey rsa:2048 -nodes -subj /CN=kube-apiserver -keyout apiserver.key -out /run/s.csr 2>/dev/null
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature,keyEncipherment\n' "$2" >/run/s.conf
    openssl x509 -req -in /run/s.csr -CA $1.crt -CAkey $1.key -CAcreateserial -days 30 -extfile /run/s.conf -out apiserver.crt 2>/dev/null
}
# kubelet_with LINES: a drop-in of the kubelet's unit
kubelet_with() {
    mkdir -p /etc/systemd/system/kubelet.service.d
    printf '[Service]\n%s\n' "$1" >/etc/systemd/system/kubelet.service.d/90-fault.conf; systemctl daemon-reload
}
"#;

/// All faults.
pub(super) fn faults() -> Vec<Fault> {
    [COMPONENTS, ETCD, KUBELET, RUNTIME, MACHINE, CERTIFICATES, NETWORK, TOKENS, CLUSTER].concat()
}

/// Flags and files of the control plane's components.
#[rustfmt::skip]
const COMPONENTS: &[Fault] = &[
    Fault { name: "unknown flag of kube-apiserver", ids: &["apiserver-bad-flag"],
        cluster: "apiServer: {extraArgs: {audit-log-pth: /var/log/audit.log}}", ..INIT },
    Fault { name: "unknown flag of kube-controller-manager", ids: &["controller-manager-bad-flag"],
        cluster: "controllerManager: {extraArgs: {bind-adress: 127.0.0.1}}", ..INIT },
    Fault { name: "unknown flag of kube-scheduler", ids: &["scheduler-bad-flag"],
        cluster: "scheduler: {extraArgs: {bind-adress: 127.0.0.1}}", ..INIT },
    Fault { name: "unknown admission plugin", ids: &["apiserver-bad-value"],
        cluster: "apiServer: {extraArgs: {enable-admission-plugins: \"NodeRestriction,PodSecurtiy\"}}", ..INIT },
    Fault { name: "unknown feature gate of kube-apiserver", ids: &["apiserver-bad-value"],
        cluster: "apiServer: {extraArgs: {feature-gates: NoSuchGate=true}}", ..INIT },
    Fault { name: "audit policy that is not there", ids: &["apiserver-file-missing"],
        cluster: "apiServer: {extraArgs: {audit-policy-file: /etc/kubernetes/audit.yaml}}", ..INIT },
    Fault { name: "audit policy that is no YAML", ids: &["apiserver-bad-file"],
        before: "mkdir -p /etc/audit; echo 'rules: [' >/etc/audit/policy.yaml",
        cluster: "apiServer: {extraArgs: {audit-policy-file: /etc/audit/policy.yaml}, extraVolumes: [{name: audit, hostPath: /etc/audit, mountPath: /etc/audit, readOnly: true}]}",
        mends: "printf 'apiVersion: audit.k8s.io/v1\\nkind: Policy\\nrules: [{level: None}]\\n' >/etc/audit/policy.yaml", ..INIT },
    Fault { name: "extra volume whose file is not there", ids: &["volume-missing"],
        cluster: "apiServer: {extraVolumes: [{name: audit, hostPath: /etc/audit.yaml, mountPath: /etc/audit.yaml, pathType: File}]}",
        mends: "touch /etc/audit.yaml", ..INIT },
    Fault { name: "etcd-servers leads nowhere", ids: &["apiserver-etcd-away"],
        cluster: "apiServer: {extraArgs: {etcd-servers: \"https://127.0.0.1:2390\"}}", ..INIT },
    Fault { name: "etcd-cafile of another CA", ids: &["apiserver-etcd-certificate-refused"],
        cluster: "apiServer: {extraArgs: {etcd-cafile: /etc/kubernetes/pki/ca.crt}}", ..INIT },
    Fault { name: "too little memory for kube-apiserver", ids: &["apiserver-out-of-memory"],
        before: "mkdir /run/patches; printf 'spec: {containers: [{name: kube-apiserver, resources: {limits: {memory: 40Mi}}}]}' >/run/patches/kube-apiserver.yaml",
        words: "--experimental-patches /run/patches", ..INIT },
    Fault { name: "etcd asks for more disk than there is", ids: &["static-pod-refused"],
        before: "mkdir /run/patches; printf 'spec: {containers: [{name: etcd, resources: {requests: {ephemeral-storage: 9Ti}}}]}' >/run/patches/etcd.yaml",
        words: "--experimental-patches /run/patches", ..INIT },
    Fault { name: "kube-apiserver asks for more than the machine has", ids: &["static-pod-no-room"],
        before: "mkdir /run/patches; printf 'spec: {containers: [{name: kube-apiserver, resources: {requests: {cpu: 512}}}]}' >/run/patches/kube-apiserver.yaml",
        words: "--experimental-patches /run/patches", ..INIT },
    Fault { name: "too few PIDs for each Pod", ids: &["apiserver-pid-limit", "etcd-pid-limit", "controller-manager-pid-limit", "scheduler-pid-limit"], kubelet: "podPidsLimit: 8", ..INIT },
];

/// etcd and its data.
#[rustfmt::skip]
const ETCD: &[Fault] = &[
    Fault { name: "unknown flag of etcd", ids: &["etcd-bad-flag"], cluster: "etcd: {local: {extraArgs: {snapshot-cuont: \"1000\"}}}", ..INIT },
    Fault { name: "data of another cluster", ids: &["preflight/DirAvailable--var-lib-etcd"],
        before: "mkdir -p /var/lib/etcd/member/wal; head -c 64000 /dev/zero >/var/lib/etcd/member/wal/0000000000000000-0000000000000000.wal",
        mends: "rm -r /var/lib/etcd/member", ..INIT },
    Fault { name: "damaged write-ahead log", ids: &["etcd-data-corrupt"],
        before: "mkdir -p /var/lib/etcd/member/wal /var/lib/etcd/member/snap; head -c 64000 /dev/urandom >/var/lib/etcd/member/wal/0000000000000000-0000000000000000.wal",
        words: "--ignore-preflight-errors=DirAvailable--var-lib-etcd", ..INIT },
    Fault { name: "damaged database of etcd", ids: &["etcd-data-corrupt"],
        before: "mkdir -p /var/lib/etcd/member/snap; head -c 64000 /dev/urandom >/var/lib/etcd/member/snap/db",
        words: "--ignore-preflight-errors=DirAvailable--var-lib-etcd", ..INIT },
    Fault { name: "etcd's disk is full", ids: &["etcd-disk-full"], before: "small_disk /var/lib/etcd 4m",
        words: "--ignore-preflight-errors=DiskSpace,EtcdDisk", mends: "mount -o remount,size=2g /var/lib/etcd", ..INIT },
];

/// The kubelet: its unit, flags and configuration.
#[rustfmt::skip]
const KUBELET: &[Fault] = &[
    Fault { name: "unknown flag in KUBELET_EXTRA_ARGS", ids: &["kubelet-bad-flag"],
        before: "sed -i 's/EXTRA_ARGS=/EXTRA_ARGS=--made-up /' /etc/default/kubelet",
        mends: "sed -i 's/--made-up //' /etc/default/kubelet", ..INIT },
    Fault { name: "unknown flag in kubeletExtraArgs", ids: &["kubelet-bad-flag"],
        init: "nodeRegistration: {kubeletExtraArgs: {made-up: \"1\"}}", ..INIT },
    Fault { name: "unknown feature gate of the kubelet", ids: &["kubelet-bad-config"],
        kubelet: "featureGates: {NoSuchGate: true}", ..INIT },
    Fault { name: "kubelet's configuration with a value out of range", ids: &["kubelet-bad-config"],
        kubelet: "eventRecordQPS: -1", ..INIT },
    Fault { name: "kubelet's unit is missing", ids: &["preflight/Service-Kubelet"],
        before: "systemctl stop kubelet; mv /usr/lib/systemd/system/kubelet.service /root/; systemctl daemon-reload",
        mends: "mv /root/kubelet.service /usr/lib/systemd/system/; systemctl daemon-reload", ..INIT },
    Fault { name: "kubelet's unit is masked", ids: &["preflight/Service-Kubelet"],
        before: "systemctl mask --now kubelet", mends: "systemctl unmask kubelet; systemctl enable kubelet", ..INIT },
    Fault { name: "kubelet looks for manifests elsewhere", ids: &["preflight/KubeletFlags"],
        before: "sed -i 's,EXTRA_ARGS=,EXTRA_ARGS=--pod-manifest-path=/etc/manifests ,' /etc/default/kubelet", ..INIT },
    Fault { name: "a drop-in has the kubelet look for manifests elsewhere", ids: &["static-pod-path"],
        before: "kubelet_with 'Environment=\"KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml --pod-manifest-path=/etc/manifests\"'", ..INIT },
    Fault { name: "kubelet's port is taken", ids: &["kubelet-port-taken"], before: "listen 10250",
        words: "--ignore-preflight-errors=Port-10250", mends: "systemctl stop listener-10250", ..INIT },
    Fault { name: "kubelet is stopped while it is waited for", ids: &["kubelet-stopped"],
        before: "at_sight /var/lib/kubelet/config.yaml 'sleep 4; systemctl stop kubelet'", ..INIT },
    Fault { name: "swap is on", ids: &["preflight/Swap"], before: "printf 'Filename Type Size Used Priority\\n/swapfile file 1048572 0 -2\\n' >/run/swaps; mount --bind /run/swaps /proc/swaps",
        mends: "umount /proc/swaps", ..INIT },
    Fault { name: "swap is on, and preflight is told to overlook it", ids: &["kubelet-swap"],
        before: "printf 'Filename Type Size Used Priority\\n/swapfile file 1048572 0 -2\\n' >/run/swaps; mount --bind /run/swaps /proc/swaps",
        words: "--ignore-preflight-errors=Swap", ..INIT },
];

/// The container runtime and its images.
#[rustfmt::skip]
const RUNTIME: &[Fault] = &[
    Fault { name: "containerd is stopped", ids: &["preflight/CRI"], before: "systemctl stop containerd",
        mends: "systemctl start containerd", ..INIT },
    Fault { name: "containerd dies on the way", ids: &["runtime-down", "kubelet-runtime-down"],
        before: "at_sight /etc/kubernetes/manifests/etcd.yaml systemctl mask --runtime --now containerd",
        mends: "systemctl unmask --runtime containerd; systemctl start containerd", ..INIT },
    Fault { name: "containerd without its CRI plug-in", ids: &["preflight/CRI"],
        before: "containerd_with '1a disabled_plugins = [\"io.containerd.grpc.v1.cri\"]'", ..INIT },
    Fault { name: "kubelet and containerd with different cgroup drivers", ids: &["preflight/CgroupDriver", "cgroup-driver-mismatch"],
        kubelet: "cgroupDriver: systemd", ..INIT },
    Fault { name: "sandbox image that nobody has", ids: &["sandbox-image-missing"],
        before: "containerd_with 's/pause:3.2/pause:9.9/'",
        mends: "containerd_with 's/pause:9.9/pause:3.2/'", ..INIT },
    Fault { name: "image of kube-apiserver is missing, without a registry", ids: &["ImagePull"],
        before: "ctr -n k8s.io images rm --sync k8s.gcr.io/kube-apiserver:v1.20.2 >/dev/null", ..INIT },
    Fault { name: "the same, and preflight is told to overlook it", ids: &["registry-unreachable", "image-missing"],
        before: "ctr -n k8s.io images rm --sync k8s.gcr.io/kube-apiserver:v1.20.2 >/dev/null",
        words: "--ignore-preflight-errors=ImagePull", ..INIT },
    Fault { name: "containers cannot be made: no runc", ids: &["sandbox-failing", "runtime-program-missing"],
        before: "mv $(command -v runc) /root/runc.away", ..INIT },
];

/// Ports and disks.
#[rustfmt::skip]
const MACHINE: &[Fault] = &[
    Fault { name: "port 6443 is taken", ids: &["preflight/Port-6443"], before: "listen 6443", mends: "systemctl stop listener-6443", ..INIT },
    Fault { name: "port 2379 is taken", ids: &["preflight/Port-2379"], before: "listen 2379", ..INIT },
    Fault { name: "port 6443 is taken after preflight", ids: &["apiserver-port-taken"],
        before: "at_sight /etc/kubernetes/pki/ca.crt systemd-run --quiet --unit=listener-6443 socat TCP-LISTEN:6443,fork,reuseaddr EXEC:true",
        mends: "systemctl stop listener-6443", ..INIT },
    Fault { name: "port 2379 is taken after preflight", ids: &["etcd-port-taken"],
        before: "at_sight /etc/kubernetes/pki/ca.crt systemd-run --quiet --unit=listener-2379 socat TCP-LISTEN:2379,fork,reuseaddr EXEC:true", ..INIT },
    Fault { name: "port 10259 is taken after preflight", ids: &["scheduler-port-taken"],
        before: "at_sight /etc/kubernetes/pki/ca.crt systemd-run --quiet --unit=listener-10259 socat TCP-LISTEN:10259,fork,reuseaddr EXEC:true", ..INIT },
    Fault { name: "disk of /etc/kubernetes is full", ids: &["disk-full"], before: "small_disk /etc/kubernetes 16k",
        mends: "mount -o remount,size=10m /etc/kubernetes", ..INIT },
    Fault { name: "disk of /var/lib/kubelet is full", ids: &["disk-full", "kubelet-disk-full"],
        before: "systemctl stop kubelet; small_disk /var/lib/kubelet 1m; head -c 2m /dev/zero >/var/lib/kubelet/ballast || true",
        words: "--ignore-preflight-errors=DiskSpace", ..INIT },
    Fault { name: "/etc/kubernetes can only be read", ids: &["host-write"],
        before: "mkdir -p /etc/kubernetes; mount -t tmpfs -o ro small /etc/kubernetes", mends: "umount /etc/kubernetes", ..INIT },
];

/// Certificates and kubeconfigs that a user brings along.
#[rustfmt::skip]
const CERTIFICATES: &[Fault] = &[
    Fault { name: "the user's CA has expired", ids: &["certificate-expired"], before: "ca ca '10 days ago' '1 day ago'",
        mends: "rm -r /etc/kubernetes/pki", ..INIT },
    Fault { name: "the user's CA is not yet valid (clock behind)", ids: &["certificate-not-yet-valid"],
        before: "ca ca '1 day' '10 days'", ..INIT },
    Fault { name: "apiserver.crt without the node's address", ids: &["endpoint-wrong-name"],
        before: "ca ca '1 day ago' '10 days'; serving ca DNS:other.example.com", ..INIT },
    Fault { name: "apiserver.crt signed by another CA", ids: &["certificate-other-ca"],
        before: "ca ca '1 day ago' '10 days'; ca other '1 day ago' '10 days'; serving other DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:$(hostname),IP:10.96.0.1,IP:$ADDRESS", ..INIT },
    Fault { name: "apiserver.key of another certificate", ids: &["certificate-key-mismatch"],
        before: "ca ca '1 day ago' '10 days'; serving ca DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:$(hostname),IP:10.96.0.1,IP:$ADDRESS; openssl genrsa -out apiserver.key 2>/dev/null", ..INIT },
    Fault { name: "CA without its key", ids: &["ca-key-missing/certificate-missing"], before: "ca ca '1 day ago' '10 days'; rm ca.key", ..INIT },
    Fault { name: "admin.conf of an earlier cluster", ids: &["preflight/FileAvailable--etc-kubernetes-admin.conf"],
        before: "ca old '1 day ago' '10 days'; mkdir -p /run/old; mv old.* /run/old/; kubeadm init phase certs ca --cert-dir /run/old/pki >/dev/null; kubeadm init phase kubeconfig admin --cert-dir /run/old/pki --apiserver-advertise-address $ADDRESS >/dev/null", ..INIT },
];

/// Addresses, names and proxies.
#[rustfmt::skip]
const NETWORK: &[Fault] = &[
    Fault { name: "advertise address of no interface", ids: &["etcd-no-address", "preflight/AdvertiseAddress"],
        init: "localAPIEndpoint: {advertiseAddress: {nowhere}}", ..INIT },
    Fault { name: "control-plane endpoint's name does not resolve", ids: &["endpoint-dns", "preflight/EndpointName"],
        cluster: "controlPlaneEndpoint: api.example.com:6443", mends: "echo $ADDRESS api.example.com >>/etc/hosts", ..INIT },
    Fault { name: "control-plane endpoint refuses", ids: &["endpoint-elsewhere"],
        cluster: "controlPlaneEndpoint: {address}:7443", mends: "systemd-run --quiet socat TCP-LISTEN:7443,fork,reuseaddr TCP:$ADDRESS:6443", ..INIT },
    Fault { name: "control-plane endpoint at an address of nobody", ids: &["endpoint-no-route", "endpoint-elsewhere"],
        cluster: "controlPlaneEndpoint: {nowhere}:6443", takes_minutes: true, ..INIT },
    Fault { name: "control-plane endpoint swallows everything", ids: &["endpoint-elsewhere"],
        before: "iptables -I OUTPUT -p tcp --dport 7443 -j DROP", cluster: "controlPlaneEndpoint: {address}:7443", ..INIT },
    Fault { name: "proxy that is dead, for the command", ids: &["controller-manager-proxy", "scheduler-proxy"],
        environment: "HTTPS_PROXY=http://127.0.0.1:9", ..INIT },
    Fault { name: "proxy that is dead, for a worker's kubelet", ids: &["endpoint-proxy"],
        before: "kubelet_with 'Environment=HTTPS_PROXY=http://127.0.0.1:9'", ..JOIN },
];

/// Tokens, pins and servers of `join`.
#[rustfmt::skip]
const TOKENS: &[Fault] = &[
    Fault { name: "unknown token", ids: &["discovery-unknown-token"],
        words: "{server} --token unknow.0123456789abcdef --discovery-token-ca-cert-hash {pin}", ..JOIN },
    Fault { name: "expired token", ids: &["discovery-unknown-token"],
        on_cluster: "kubeadm token create expire.0123456789abcdef --ttl 1s; while kubectl -n kube-public get cm cluster-info -o yaml | grep -q expire; do sleep 1; done",
        words: "{server} --token expire.0123456789abcdef --discovery-token-ca-cert-hash {pin}", ..JOIN },
    Fault { name: "token of another form", ids: &["config-invalid/config-bad-token"],
        words: "{server} --token abcdef.0123 --discovery-token-ca-cert-hash {pin}", ..JOIN },
    Fault { name: "token with another secret", ids: &["discovery-bad-signature"],
        words: "{server} --token {id}.0123456789abcdef --discovery-token-ca-cert-hash {pin}", ..JOIN },
    Fault { name: "pin of another CA", ids: &["discovery-wrong-pin"],
        words: "{server} --token {token} --discovery-token-ca-cert-hash sha256:0000000000000000000000000000000000000000000000000000000000000000", ..JOIN },
    Fault { name: "server's port refuses", ids: &["discovery-unreachable"],
        words: "{server}1 --token {token} --discovery-token-ca-cert-hash {pin}", takes_minutes: true, ..JOIN },
    Fault { name: "firewall drops port 6443", ids: &["discovery-unreachable"],
        before: "iptables -I OUTPUT -p tcp --dport 6443 -j DROP", mends: "iptables -D OUTPUT -p tcp --dport 6443 -j DROP", takes_minutes: true, ..JOIN },
    Fault { name: "kubelet's flag in the way of join", ids: &["kubelet-bad-flag"],
        before: "sed -i 's/EXTRA_ARGS=/EXTRA_ARGS=--made-up /' /etc/default/kubelet", mends: "sed -i 's/--made-up //' /etc/default/kubelet", ..JOIN },
    Fault { name: "kubelet with another Node name", ids: &["node-name-mismatch"],
        before: "kubelet_with 'Environment=\"KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml --hostname-override=somebody-else\"'", ..JOIN },
    Fault { name: "name of a Node that is there", ids: &["node-name-taken"],
        words: "{server} --token {token} --discovery-token-ca-cert-hash {pin} --node-name {control-plane}", ..JOIN },
];

/// Faults of the cluster, met by `join`. They come one after the other.
#[rustfmt::skip]
const CLUSTER: &[Fault] = &[
    Fault { name: "token without the use of signing", ids: &["discovery-unknown-token"],
        on_cluster: "kubeadm token create nosign.0123456789abcdef --usages authentication", mends_cluster: "kubeadm token delete nosign",
        words: "{server} --token nosign.0123456789abcdef --discovery-token-ca-cert-hash {pin}", ..JOIN },
    Fault { name: "cluster-info is not signed", ids: &["discovery-not-signed"],
        on_cluster: "mv /etc/kubernetes/manifests/kube-controller-manager.yaml /root/; while pgrep -f ^kube-controller-manager >/dev/null; do sleep 0.5; done; \
            kubectl -n kube-public get cm cluster-info -o json | sed '/\"jws-/d' | tr '\\n' ' ' | sed 's/,  *}/}/g' | kubectl replace -f -",
        mends_cluster: "mv /root/kube-controller-manager.yaml /etc/kubernetes/manifests/; until kubectl -n kube-public get cm cluster-info -o yaml | grep -q jws-; do sleep 1; done", ..JOIN },
    Fault { name: "cluster-info is missing", ids: &["discovery-no-cluster-info"],
        on_cluster: "kubectl -n kube-public get cm cluster-info -o yaml >/root/info.yaml; kubectl -n kube-public delete cm cluster-info",
        mends_cluster: "sed -i '/resourceVersion\\|uid:/d' /root/info.yaml; kubectl create -f /root/info.yaml", ..JOIN },
    Fault { name: "nothing approves the kubelet's certificate", ids: &["csr-pending"],
        on_cluster: "kubectl delete clusterrolebinding kubeadm:node-autoapprove-bootstrap",
        mends_cluster: "kubectl create clusterrolebinding kubeadm:node-autoapprove-bootstrap --clusterrole=system:certificates.k8s.io:certificatesigningrequests:nodeclient --group=system:bootstrappers:kubeadm:default-node-token; kubectl delete csr --all", takes_minutes: true, ..JOIN },
    Fault { name: "the kubelet's certificate is denied", ids: &["csr-denied"],
        on_cluster: "kubectl delete clusterrolebinding kubeadm:node-autoapprove-bootstrap; systemd-run --quiet --unit=denies --setenv=KUBECONFIG=/etc/kubernetes/admin.conf sh -c 'while sleep 0.5; do kubectl get csr | awk \"/Pending/ {print \\$1}\" | xargs -r kubectl certificate deny; done'",
        mends_cluster: "systemctl stop denies; kubectl create clusterrolebinding kubeadm:node-autoapprove-bootstrap --clusterrole=system:certificates.k8s.io:certificatesigningrequests:nodeclient --group=system:bootstrappers:kubeadm:default-node-token; kubectl delete csr --all", ..JOIN },
    Fault { name: "a dead webhook is asked about Nodes", ids: &["webhook-blocks"],
        on_cluster: "printf '%s\\n' 'apiVersion: admissionregistration.k8s.io/v1' 'kind: ValidatingWebhookConfiguration' 'metadata: {name: dead}' 'webhooks: [{name: dead.example.com, failurePolicy: Fail, sideEffects: None, timeoutSeconds: 2, admissionReviewVersions: [v1], clientConfig: {url: \"https://127.0.0.1:9/\"}, rules: [{apiGroups: [\"\"], apiVersions: [v1], operations: [CREATE], resources: [nodes]}]}]' | kubectl apply -f -",
        mends_cluster: "kubectl delete validatingwebhookconfiguration dead", ..JOIN },
];
