//! `config images`: which images a control-plane node needs, and having the container runtime pull them.
//!
//! Pulls all of them, as kubeadm does, those that are there too: a tag may have moved.

use serde_json::{Value, json};

use crate::config::NeededImages;
use crate::counted;
use crate::plan::Phase;
use crate::problem::Problem;
use crate::world::{Change, ImagePull, World};

/// The list as kubeadm's structured output has it (`output.kubeadm.k8s.io`, kind `Images`).
pub fn listed(images: &NeededImages) -> Value {
    json!({
        "apiVersion": "output.kubeadm.k8s.io/v1alpha3",
        "kind": "Images",
        "images": images.references,
    })
}

/// The phase.
pub struct Pull;

impl Phase<NeededImages> for Pull {
    fn name(&self) -> &'static str {
        "pull"
    }

    fn about(&self) -> &'static str {
        "has the container runtime pull the images of a control-plane node"
    }

    fn run(&self, job: &NeededImages, world: &World<'_>) -> Result<(), Problem> {
        let pull =
            ImagePull { socket: job.cri_socket.clone(), images: job.references.clone(), is_serial: job.is_serial };
        world.change(&Change::PullImages(pull)).map_err(|problem| match problem.id.as_str() {
            "runtime-failed" => Problem { id: "ImagePull".to_owned(), ..problem }
                .fix("check that the registry can be reached, or name another: --image-repository")
                .fix("see whether the runtime runs: systemctl status containerd"),
            _ => problem,
        })?;
        world.note(&counted(job.references.len(), "image"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ImagesFlags, resolve_images};
    use crate::support::Bench;
    use crate::workflows::IMAGES_PULL;
    use crate::world::Overlay;

    fn list(release: &str, config: &str) -> Vec<String> {
        let flags = ImagesFlags {
            kubernetes_version: Some(release.to_owned()),
            config: (!config.is_empty()).then(|| "/c.yaml".into()),
            ..ImagesFlags::default()
        };
        let host = Overlay::default().with_file("/c.yaml", config, 0o644);
        resolve_images(&flags, &host).expect("images").references
    }

    #[test]
    fn images_are_listed_in_the_order_of_the_releases_own_kubeadm() {
        // `kubeadm config images list` of 1.20.2.
        let old = "k8s.gcr.io/kube-apiserver:v1.20.2 k8s.gcr.io/kube-controller-manager:v1.20.2 \
                   k8s.gcr.io/kube-scheduler:v1.20.2 k8s.gcr.io/kube-proxy:v1.20.2 k8s.gcr.io/pause:3.2 \
                   k8s.gcr.io/etcd:3.4.13-0 k8s.gcr.io/coredns:1.7.0";
        assert_eq!(list("v1.20.2", "").join(" "), old);
        // As the reference has it for 1.36.2.
        let new = list("v1.36.2", "");
        let ends: Vec<&str> = new[4..].iter().filter_map(|image| image.rsplit('/').next()).collect();
        assert_eq!(ends, ["coredns:v1.14.2", "pause:3.10.2", "etcd:3.6.8-0"]);
    }

    #[test]
    fn hyperkube_stands_for_all_four_and_an_external_etcd_needs_no_image() {
        let head = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n";
        // `kubeadm config images list` of 1.20.2 with the same file.
        let images = list("v1.20.2", &format!("{head}useHyperKubeImage: true\n"));
        assert_eq!(
            images,
            [
                "k8s.gcr.io/hyperkube:v1.20.2",
                "k8s.gcr.io/pause:3.2",
                "k8s.gcr.io/etcd:3.4.13-0",
                "k8s.gcr.io/coredns:1.7.0"
            ]
        );
        let images = list("v1.20.2", &format!("{head}etcd: {{external: {{endpoints: ['http://e:2379']}}}}\n"));
        assert!(!images.iter().any(|image| image.contains("etcd")), "{images:?}");
    }

    #[test]
    fn a_pull_asks_the_runtime_for_every_image_in_one_change() {
        let bench = Bench::default();
        let flags = ImagesFlags { pull: true, cri_socket: Some("/run/c.sock".into()), ..ImagesFlags::default() };
        let job = resolve_images(&flags, &bench.overlay).expect("images");
        bench.run_workflow(&IMAGES_PULL, &job, None).expect("pulled");
        let [Change::PullImages(pull)] = &bench.overlay.changes()[..] else { panic!("one change") };
        assert_eq!((pull.socket.as_str(), pull.images.len(), pull.is_serial), ("/run/c.sock", 7, false));
    }

    #[test]
    fn the_structured_list_is_of_kubeadms_kind() {
        let flags = ImagesFlags { kubernetes_version: Some("v1.36.2".to_owned()), ..ImagesFlags::default() };
        let value = listed(&resolve_images(&flags, &Overlay::default()).expect("images"));
        assert_eq!((&value["kind"], value["images"].as_array().map(Vec::len)), (&json!("Images"), Some(7)));
    }
}
