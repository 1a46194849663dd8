//! Connections by the names that people give them, whoever's they are.

use std::{collections::HashMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sortie_identity::CredentialSource;
use sortie_model::{ConnectionName, TenantId};
use sortie_store::{Connection, NewConnection, Scope, Store, Tenant, TenantKey};

use crate::{
    context::Context,
    database,
    exit::{Exit, Problem, sentence},
    product::{ConnectionSettings, DefenderConnection, Kept},
    reference::{is_rs256, reference_text},
    settings::Settings,
};

/// `NAME`, or `TENANT/NAME` where a tenant of ours has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ConnectionPath {
    pub tenant: Option<ConnectionName>,
    pub name: ConnectionName,
}

/// A connection and how a person names it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub name: String,
    pub row: Connection,
}

impl Named {
    /// Whether calls for the tenant may go through it: its own, or one for all. One that leads to a single tenant of Entra's
    /// is for no other, whoever keeps it.
    pub(crate) fn serves(&self, tenant: &Tenant) -> bool {
        let is_for_all = self.row.tenant == TenantKey::SHARED;
        let leads_there = || self.leads_to().is_none_or(|to| Some(to) == tenant.entra_id.as_deref());
        self.row.tenant == tenant.key || (is_for_all && leads_there())
    }

    /// The tenant of Entra's that it was set up for, where it was for one.
    pub(crate) fn leads_to(&self) -> Option<&str> {
        self.row.settings.get("tenant").and_then(|tenant| tenant.as_str())
    }

    /// Whose rows are meant with it.
    pub(crate) fn scope(&self) -> Scope {
        Scope::Tenant(self.row.tenant)
    }
}

/// All of them, by name.
pub(crate) async fn all(store: &Store) -> anyhow::Result<Vec<Named>> {
    let tenants = names_of_tenants(store).await?;
    let mut all: Vec<Named> =
        store.connections(Scope::Every).await?.into_iter().map(|row| named(row, &tenants)).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// The one of this name.
pub(crate) async fn find(store: &Store, path: &ConnectionPath) -> anyhow::Result<Named> {
    let mut all = all(store).await?;
    let at = position(all.iter().map(|one| one.name.as_str()), path)?;
    Ok(all.swap_remove(at))
}

/// The database and the connection of this name in it.
pub(crate) async fn open(context: &Context, path: &ConnectionPath) -> anyhow::Result<(Store, Named)> {
    adopt(context).await?;
    let store = database::open(context).await?;
    let found = find(&store, path).await?;
    Ok((store, found))
}

/// Which of the names is meant: without a tenant it is the shared one, else the only one that there is.
pub(crate) fn position<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    path: &ConnectionPath,
) -> Result<usize, Problem> {
    let whole = match &path.tenant {
        // What is for all tenants can be named so, too, and has no tenant in front of its name.
        Some(tenant) if tenant.as_str() == SHARED_NAME => path.name.to_string(),
        _ => path.to_string(),
    };
    if let Some(at) = names.clone().position(|name| name == whole) {
        return Ok(at);
    }
    let is_alike = |name: &str| path.tenant.is_none() && name.split('/').next_back() == Some(path.name.as_str());
    let alike: Vec<(usize, &str)> = names.clone().enumerate().filter(|(_, name)| is_alike(name)).collect();
    match alike[..] {
        [(at, _)] => Ok(at),
        [] => {
            let known: Vec<&str> = names.take(NAMES_TOLD_MAX).collect();
            let next = match known.is_empty() {
                true => "There is none yet; add it with `sortie connection add`.".to_owned(),
                false => format!("There are `{}`; `sortie connection list` shows more of them.", known.join("`, `")),
            };
            Err(Problem::usage(format!("there is no connection `{path}`"), next))
        }
        _ => {
            let names: Vec<&str> = alike.iter().map(|(_, name)| *name).collect();
            let next = format!("Name one of `{}`.", names.join("`, `"));
            Err(Problem::usage(format!("several tenants have a connection `{path}`"), next))
        }
    }
}

/// Those of Defender's own commands, in the order of their names. What an earlier version kept in the settings file is
/// moved into the database first.
pub(crate) async fn of_defender(context: &Context) -> anyhow::Result<Vec<DefenderConnection>> {
    adopt(context).await?;
    let Some(store) = database::look_existing(context).await? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for Named { name, row } in all(&store).await? {
        found.extend(DefenderConnection::of(&row, name)?);
    }
    Ok(found)
}

/// The one that is meant by this path.
pub(crate) fn pick(mut all: Vec<DefenderConnection>, path: &ConnectionPath) -> Result<DefenderConnection, Problem> {
    let at = position(all.iter().map(|one| one.name.as_str()), path)?;
    Ok(all.swap_remove(at))
}

/// The chosen one, by its whole name: what is only alike was never chosen.
pub(crate) fn pick_current(
    mut all: Vec<DefenderConnection>,
    path: &ConnectionPath,
) -> Result<DefenderConnection, Problem> {
    let whole = path.to_string();
    match all.iter().position(|one| one.name == whole) {
        Some(at) => Ok(all.swap_remove(at)),
        None => {
            let next = "Choose another with `sortie connection use NAME`, or name one with `--connection`.";
            Err(Problem::usage(format!("there is no connection `{path}` any more, which was the current one"), next))
        }
    }
}

/// Keeps a connection of Defender's commands that refers to its credential, in the place of one of that name. It becomes
/// that of the tenant of ours to which it leads, where there is one.
pub(crate) async fn keep(
    store: &Store,
    name: &ConnectionName,
    connection: &DefenderConnection,
) -> anyhow::Result<ConnectionPath> {
    let Kept::Reference(source) = &connection.credential else {
        anyhow::bail!("connection {name} is kept already");
    };
    let new = connection.row(name.clone(), source)?;
    let owner = owner(store, &connection.tenant).await?;
    let scope = scope_of(owner.as_ref());
    match store.connections_named(scope, name.as_str()).await?.pop() {
        Some(other) if other.connector != new.connector => {
            let what = format!("there is a connection `{name}` to {} already", other.connector);
            return Err(Problem::usage(what, "Choose another name.").into());
        }
        Some(present) => drop(store.change_connection(scope, present.id, present.version, new).await?),
        None => drop(store.add_connection(scope, new).await?),
    }
    ConnectionPath::of(owner.as_ref(), name)
}

/// Lets a connection refer to its credential elsewhere; everything else of it stays.
pub(crate) async fn refer(store: &Store, row: &Connection, source: &CredentialSource) -> anyhow::Result<()> {
    let settings = ConnectionSettings {
        reference: Some(reference_text(source)),
        rs256: is_rs256(source),
        vault: None,
        expires: None,
        ..ConnectionSettings::of(row)?
    };
    let new = NewConnection {
        name: row.name.parse()?,
        connector: row.connector.clone(),
        base_url: row.base_url.clone(),
        token_url: row.token_url.clone(),
        allowed_hosts: row.allowed_hosts.clone(),
        destinations: row.destinations.clone(),
        settings: serde_json::to_value(settings)?,
    };
    store.change_connection(Scope::Tenant(row.tenant), row.id, row.version, new).await?;
    Ok(())
}

/// The row as it is now, if nobody has changed it since it was read.
pub(crate) async fn unchanged(store: &Store, row: &Connection) -> anyhow::Result<()> {
    let now = store.connections_named(Scope::Tenant(row.tenant), &row.name).await?.pop();
    if now.is_some_and(|now| now.id == row.id && now.version == row.version) {
        return Ok(());
    }
    let what = format!("connection {} was changed meanwhile", row.name);
    Err(Problem::usage(what, "Look at it with `sortie connection show`, and try again.").into())
}

/// The tenant of ours that this one of Entra's is.
pub(crate) async fn owner(store: &Store, entra_id: &TenantId) -> anyhow::Result<Option<Tenant>> {
    let tenants = store.tenants(Scope::Every).await?;
    Ok(tenants
        .into_iter()
        .find(|tenant| tenant.key != TenantKey::SHARED && tenant.entra_id.as_deref() == Some(entra_id.as_str())))
}

/// Moves connections out of the settings file. They are in the database before the file forgets them, so that a killed
/// process leaves them in both, and the next one goes on.
pub(crate) async fn adopt(context: &Context) -> anyhow::Result<()> {
    if context.settings()?.connections.is_empty() {
        return Ok(());
    }
    let store = database::open(context).await?;
    // Another process may have moved them while this one waited.
    let mut settings = context.settings()?;
    let mut moved = Vec::new();
    for (name, old) in &settings.connections {
        let connection = old.as_defender(name);
        let Kept::Reference(source) = &connection.credential else { continue };
        let wanted = connection.row(name.clone(), source)?;
        let owner = owner(&store, &connection.tenant).await?;
        match store.connections_named(scope_of(owner.as_ref()), name.as_str()).await?.pop() {
            None => drop(keep(&store, name, &connection).await?),
            // A process was killed between the two.
            Some(row) if row.settings == wanted.settings => {}
            Some(_) => {
                let next = format!("rename it in {} to use it", context.settings_path()?.display());
                context.note(&format!("the database has another connection `{name}` than the settings file: {next}"));
                continue;
            }
        }
        if settings.current.as_ref().is_some_and(|current| current.to_string() == name.as_str()) {
            settings.current = Some(ConnectionPath::of(owner.as_ref(), name)?);
        }
        moved.push(name.clone());
    }
    if moved.is_empty() {
        return Ok(());
    }
    settings.connections.retain(|name, _| !moved.contains(name));
    let (count, path) = (counted(moved.len()), database::path(context)?);
    // Where the file cannot be written, what was moved is in both, and is the same.
    context.note(&match settings.save(&context.settings_path()?) {
        Ok(()) => format!("{count} moved from the settings file into {}", path.display()),
        Err(error) => format!("{count} copied into {}: {}", path.display(), sentence(&error)),
    });
    Ok(())
}

fn counted(count: usize) -> String {
    if count == 1 { "1 connection was".to_owned() } else { format!("{count} connections were") }
}

/// Where the connections of this tenant of ours are kept; those of nobody are for all.
pub(crate) fn scope_of(owner: Option<&Tenant>) -> Scope {
    owner.map_or(database::SHARED, |tenant| Scope::Tenant(tenant.key))
}

/// The tenant of this name, as an argument gives it.
pub(crate) async fn tenant(store: &Store, name: &str) -> anyhow::Result<Tenant> {
    let mut tenants = store.tenants(Scope::Every).await?;
    match tenants.iter().position(|tenant| tenant.name == name) {
        Some(at) => Ok(tenants.swap_remove(at)),
        None => {
            let next = "`sortie tenant list` shows those that exist; `sortie tenant add` makes one.".to_owned();
            Err(Problem { exit: Exit::NotFound, what: format!("there is no tenant `{name}`"), next }.into())
        }
    }
}

/// Remembers which connection is meant where none is named.
pub(crate) fn choose(path: Option<ConnectionPath>, context: &Context) -> anyhow::Result<()> {
    let settings = Settings { current: path, ..context.settings()? };
    settings.save(&context.settings_path()?)
}

async fn names_of_tenants(store: &Store) -> anyhow::Result<HashMap<TenantKey, String>> {
    Ok(store.tenants(Scope::Every).await?.into_iter().map(|tenant| (tenant.key, tenant.name)).collect())
}

fn named(row: Connection, tenants: &HashMap<TenantKey, String>) -> Named {
    let tenant = tenants.get(&row.tenant).filter(|_| row.tenant != TenantKey::SHARED);
    let name = tenant.map_or_else(|| row.name.clone(), |tenant| format!("{tenant}/{}", row.name));
    Named { name, row }
}

impl ConnectionPath {
    /// As a connection of this tenant of ours, or of nobody, is named.
    pub(crate) fn of(owner: Option<&Tenant>, name: &ConnectionName) -> anyhow::Result<Self> {
        Ok(Self { tenant: owner.map(|tenant| tenant.name.parse()).transpose()?, name: name.clone() })
    }
}

impl FromStr for ConnectionPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = |text: &str| text.parse::<ConnectionName>().map_err(|_| WRONG);
        Ok(match text.split_once('/') {
            Some((tenant, name)) => Self { tenant: Some(part(tenant)?), name: part(name)? },
            None => Self { tenant: None, name: part(text)? },
        })
    }
}

impl TryFrom<String> for ConnectionPath {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ConnectionPath> for String {
    fn from(path: ConnectionPath) -> Self {
        path.to_string()
    }
}

impl fmt::Display for ConnectionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(f, "{tenant}/{}", self.name),
            None => self.name.fmt(f),
        }
    }
}

/// What the tenant is called that holds what is for all.
pub(crate) const SHARED_NAME: &str = "shared";
const NAMES_TOLD_MAX: usize = 20;
const WRONG: &str = "expected a connection name of letters, digits, `-`, `_` and `.`, at most 64 characters, such as `contoso`; with a tenant of `sortie tenant list` in front, `contoso/defender`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_tenant_is_the_shared_one_or_the_only_one() {
        #[track_caller]
        fn check(path: &str, expected: Result<&str, &str>) {
            let names = ["a", "contoso/a", "contoso/b", "contoso/c", "fabrikam/c"];
            let found = position(names.into_iter(), &path.parse().unwrap()).map(|at| names[at]);
            match (found, expected) {
                (Err(problem), Err(part)) => assert!(format!("{} {}", problem.what, problem.next).contains(part)),
                (found, expected) => assert_eq!(found.ok(), expected.ok(), "{path}"),
            }
        }
        check("a", Ok("a"));
        check("shared/a", Ok("a"));
        check("contoso/a", Ok("contoso/a"));
        check("b", Ok("contoso/b"));
        check("c", Err("`contoso/c`, `fabrikam/c`"));
        check("fabrikam/a", Err("no connection"));
        check("shared/b", Err("no connection"));
    }

    #[test]
    fn a_path_is_read_and_written_back() {
        #[track_caller]
        fn check(text: &str, is_read: bool) {
            let read = text.parse::<ConnectionPath>();
            assert_eq!(read.as_ref().is_ok_and(|path| path.to_string() == text), is_read, "{text}: {read:?}");
        }
        check("contoso", true);
        check("contoso/defender", true);
        check("a/b/c", false);
        check("/b", false);
        check("a/", false);
        check("", false);
    }
}
