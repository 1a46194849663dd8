//! In whose name the command line acts: the user of this machine who runs it.
//!
//! Whoever owns the database file is its administrator, for the file is theirs in any case. So is the superuser, under an own
//! name. Anybody else who can open it has what was granted to `os:NAME`.

use std::{path::Path, sync::Once};

use sortie_store::{Actor, ActorKind, Grant, Store, StoreError, StoreErrorKind};

use crate::context::Context;

/// Who runs this, and what that is to the owner of a file.
struct OsUser {
    name: String,
    stands: Standing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    Owner,
    /// Not the owner, who is named, but nothing can be kept from them.
    Superuser(String),
    /// Not the owner, who is named.
    Other(String),
}

/// The store in the name of whoever runs this command.
pub(crate) async fn as_this_user(store: Store, context: &Context) -> anyhow::Result<Store> {
    let user = OsUser::of(store.path())?;
    let name = format!("os:{}", user.name);
    let grants = match &user.stands {
        Standing::Owner => vec![Grant::ALL],
        Standing::Superuser(owner) => {
            tell(context, &format!("the database is {owner}'s; what is done now is done as {name}"));
            vec![Grant::ALL]
        }
        Standing::Other(owner) => {
            tell(context, &format!("the database is {owner}'s; {name} may do what was granted to it, and no more"));
            granted(&store, &name).await?
        }
    };
    let actor = Actor { id: name.clone(), name, kind: ActorKind::OsUser, grants };
    Ok(store.acting_as(actor))
}

/// A user of this machine, to a server of a database of `owner`. What was granted to anybody else the server looks up itself.
#[cfg(unix)]
pub(crate) fn actor_of(id: u32, owner: u32) -> Actor {
    let name = format!("os:{}", name_of(id));
    let grants = match standing(id, owner, name_of) {
        Standing::Owner | Standing::Superuser(_) => vec![Grant::ALL],
        Standing::Other(_) => Vec::new(),
    };
    Actor { id: name.clone(), name, kind: ActorKind::OsUser, grants }
}

async fn granted(store: &Store, name: &str) -> Result<Vec<Grant>, StoreError> {
    match store.principal(name).await {
        Ok(principal) if principal.disabled.is_none() => Ok(principal.grants),
        Ok(_) => Ok(Vec::new()),
        Err(StoreError { kind: StoreErrorKind::Absent(_), .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Once, however often a command opens the database.
fn tell(context: &Context, text: &str) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| context.note(text));
}

#[cfg(unix)]
impl OsUser {
    fn of(path: &Path) -> anyhow::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;

        use anyhow::Context as _;
        let about = std::fs::metadata(path);
        let owner = about.with_context(|| format!("cannot see whose the database {} is", path.display()))?.uid();
        let own = nix::unistd::geteuid();
        Ok(Self { name: name_of(own.as_raw()), stands: standing(own.as_raw(), owner, name_of) })
    }
}

#[cfg(unix)]
fn standing(own: u32, owner: u32, name_of: fn(u32) -> String) -> Standing {
    match own {
        _ if own == owner => Standing::Owner,
        0 => Standing::Superuser(name_of(owner)),
        _ => Standing::Other(name_of(owner)),
    }
}

/// As the system knows the user, whatever a variable says; a user without a name is a number.
#[cfg(unix)]
fn name_of(id: u32) -> String {
    let found = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(id)).ok().flatten();
    found.map_or_else(|| id.to_string(), |user| user.name)
}

/// Elsewhere the rights to the file are all that there is.
#[cfg(not(unix))]
impl OsUser {
    fn of(_: &Path) -> anyhow::Result<Self> {
        let name = std::env::var("USERNAME").unwrap_or_else(|_| "user".to_owned());
        Ok(Self { name, stands: Standing::Owner })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_owner_and_the_superuser_stand_above_others() {
        let name = |id: u32| format!("n{id}");
        assert_eq!(standing(1_000, 1_000, name), Standing::Owner);
        assert_eq!(standing(0, 0, name), Standing::Owner);
        assert_eq!(standing(0, 1_000, name), Standing::Superuser("n1000".to_owned()));
        assert_eq!(standing(1_001, 1_000, name), Standing::Other("n1000".to_owned()));
        assert_eq!(name_of(0), "root");
        assert_eq!(name_of(4_000_000_123), "4000000123");
        let grants = |id: u32| actor_of(id, 1_000).grants;
        assert_eq!((grants(1_000), grants(0), grants(1_001)), (vec![Grant::ALL], vec![Grant::ALL], vec![]));
        assert_eq!(actor_of(0, 1_000).name, "os:root");
    }
}
