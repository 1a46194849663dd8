//! Ids, nouns, secrets and the clock that every crate of Sortie shares. No logic beyond parsing.

mod clock;
mod ids;
mod secret;
pub mod shapes;

pub use clock::{Clock, ManualClock, SystemClock};
pub use ids::{
    ActionId, AlertId, ClientId, ClientIdError, ConnectionName, ConnectionNameError, IncidentId, IndicatorId,
    MachineId, TenantId, TenantIdError,
};
pub use secret::Secret;
