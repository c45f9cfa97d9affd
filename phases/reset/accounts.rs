//! The last part of `clean-files`: what stays is given back to whom it belonged, and then the users and groups that we
//! added for the control plane are removed, so that nothing is left for whoever gets their ids next.

use crate::plan::Inventory;
use crate::problem::Problem;
use crate::rootless::{give_found, is_there};
use crate::world::{Change, World};

pub(super) fn remove(inventory: &Inventory, world: &World<'_>) -> Result<(), Problem> {
    for (path, (uid, gid, mode)) in inventory.owners() {
        let Some(found) = world.host().stat(path)? else { continue };
        // What was there before us and was put back has its own mode again.
        let is_put_back = inventory.files().any(|(ours, _)| ours == path);
        give_found(&found, (uid, gid), if is_put_back { found.mode & 0o7777 } else { mode }, world)?;
    }
    for account in inventory.accounts() {
        if is_there(account, world)? {
            world.change(&Change::RemoveAccount(account.clone()))?;
        }
    }
    Ok(())
}
