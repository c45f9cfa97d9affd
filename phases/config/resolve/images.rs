//! The job of `config images …`: which images a control-plane node needs, and which runtime is to have them.

use super::cluster::build;
use super::init::say_gates;
use super::{INVALID, checks, defaults, read_file};
use crate::config::draft::Setting;
use crate::config::findings::Findings;
use crate::config::{ImagesFlags, NeededImages};
use crate::problem::Problem;
use crate::releases::Image;
use crate::world::{Facts, Host};

/// The images that a control-plane node needs. Needs no root, cluster or network; without a release it is that of the installed
/// kubelet, as for `init`. The container runtime is looked for only where it will be asked.
///
/// # Errors
/// One problem `config-invalid` with a finding per mistake, or why the host could not be read.
pub fn resolve_images(flags: &ImagesFlags, host: &dyn Host) -> Result<NeededImages, Problem> {
    let findings = &mut Findings::default();
    let wanted = ["InitConfiguration", "ClusterConfiguration"];
    let mut draft = read_file(flags.config.as_deref(), &wanted, host, findings)?.draft;
    for (key, flag, value) in [
        (Setting::CriSocket, "--cri-socket", &flags.cri_socket),
        (Setting::ImageRepository, "--image-repository", &flags.image_repository),
        (Setting::KubernetesVersion, "--kubernetes-version", &flags.kubernetes_version),
    ] {
        draft.say_flag(key, flag, value.clone());
    }
    say_gates(&mut draft, flags.feature_gates.as_deref(), findings);
    let release = defaults::release(&draft, host, findings);
    let cluster = build(&draft, release, None, findings);
    checks::feature_gates(&cluster, &draft, findings);
    let facts = if flags.pull { host.facts()? } else { Facts::default() };
    let images = NeededImages {
        cri_socket: defaults::cri_socket(&draft, &cluster.release, &facts, findings),
        is_serial: draft.is_true(Setting::ImagePullSerial),
        references: Image::of_control_plane(&cluster),
        release: cluster.release,
    };
    std::mem::take(findings).finish(Some(images), INVALID.0, INVALID.1)
}
