//! Orders to machines: isolate, scan, restrict, collect, offboard, quarantine, and their reversals.

use axum::{body::Bytes, extract::Path};
use http::StatusCode;

use super::{
    body::Fields,
    call::{Answer, Call, Door, Head, Refusal, usual},
    view::action_json,
};
use crate::{
    counters::Effect,
    world::{ActionKind, ActionOrder, Device, LiveCommand, OrderRefused, Ordered, SESSION_COUNT_MAX, Term},
};

pub(super) async fn isolate(path: Path<String>, head: Head, body: Bytes) -> Answer {
    let order = Plain { kind: ActionKind::Isolate, door: &ISOLATE, scope: Some(("IsolationType", ISOLATION_TYPES)) };
    order.take(path, head, &body)
}

pub(super) async fn unisolate(path: Path<String>, head: Head, body: Bytes) -> Answer {
    Plain { kind: ActionKind::Unisolate, door: &UNISOLATE, scope: None }.take(path, head, &body)
}

pub(super) async fn restrict(path: Path<String>, head: Head, body: Bytes) -> Answer {
    Plain { kind: ActionKind::Restrict, door: &RESTRICT, scope: None }.take(path, head, &body)
}

pub(super) async fn unrestrict(path: Path<String>, head: Head, body: Bytes) -> Answer {
    Plain { kind: ActionKind::Unrestrict, door: &UNRESTRICT, scope: None }.take(path, head, &body)
}

pub(super) async fn scan(path: Path<String>, head: Head, body: Bytes) -> Answer {
    Plain { kind: ActionKind::Scan, door: &SCAN, scope: Some(("ScanType", &["Quick", "Full"])) }.take(path, head, &body)
}

pub(super) async fn collect(path: Path<String>, head: Head, body: Bytes) -> Answer {
    Plain { kind: ActionKind::CollectPackage, door: &COLLECT, scope: None }.take(path, head, &body)
}

pub(super) async fn offboard(path: Path<String>, head: Head, body: Bytes) -> Answer {
    Plain { kind: ActionKind::Offboard, door: &OFFBOARD, scope: None }.take(path, head, &body)
}

pub(super) async fn quarantine(Path(id): Path<String>, head: Head, body: Bytes) -> Answer {
    let call = head.admit(&QUARANTINE)?;
    let index = call.device(&id)?;
    let fields = call.body(&body, &["Comment", "Sha1", "ExternalId"])?;
    let mut order = order_of(&call, &fields, ActionKind::QuarantineFile, index, true)?;
    let sha1 = fields.required("Sha1")?.to_ascii_lowercase();
    if sha1.len() != 40 || !sha1.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(call.bad("InvalidHashValue", "The value of 'Sha1' is no SHA-1 of 40 hexadecimal digits"));
    }
    order.file = Some(sha1);
    place(&call, order)
}

/// An order that needs a comment and, for two of them, a scope.
struct Plain {
    kind: ActionKind,
    door: &'static Door,
    /// The body's name for it and its words; the first one counts where none is given (G).
    scope: Option<(&'static str, &'static [&'static str])>,
}

impl Plain {
    fn take(&self, Path(id): Path<String>, head: Head, body: &[u8]) -> Answer {
        let call = head.admit(self.door)?;
        let index = call.device(&id)?;
        let mut known = vec!["Comment", "ExternalId"];
        known.extend(self.scope.map(|(name, _)| name));
        let fields = call.body(body, &known)?;
        let mut order = order_of(&call, &fields, self.kind, index, true)?;
        if let Some((name, words)) = self.scope {
            order.scope = fields.word(name, words)?.or(words.first().copied());
        }
        if order.scope == Some(UNMANAGED) {
            // It contains a device that Defender does not manage; all devices here are managed.
            return Err(call.bad("InvalidInput", "The device is onboarded: isolate it with Full or Selective"));
        }
        call.with_world(|world| is_supported(&call, self.kind, &world.company.devices[index]))?;
        place(&call, order)
    }
}

/// What all orders have: who, why, and a number of the caller's own.
pub(super) fn order_of(
    call: &Call,
    fields: &Fields<'_>,
    kind: ActionKind,
    device: usize,
    needs_comment: bool,
) -> Result<ActionOrder, Refusal> {
    let comment = fields.text("Comment")?;
    if needs_comment && comment.is_none() {
        return Err(call.missing("Comment"));
    }
    Ok(ActionOrder {
        kind,
        device,
        scope: None,
        requestor: call.caller.display_name.clone(),
        source: "PublicApi",
        // That the calls take it is (M): the answers have it, the pages of the calls don't name it.
        external_id: fields.text("ExternalId")?,
        comment: comment.unwrap_or_default(),
        file: None,
        commands: Vec::<LiveCommand>::new(),
    })
}

/// Gives the order and answers with its action.
pub(super) fn place(call: &Call, order: ActionOrder) -> Answer {
    let kind = order.kind;
    let device = order.device;
    let (placed, machine_id) = call.with_world(|world| {
        let machine_id = world.company.devices[device].machine_id.clone();
        let placed = world.order(order).map(|ordered| {
            let (Ordered::New(position) | Ordered::Same(position)) = ordered;
            if let (Some(late), Ordered::New(_)) = (call.late_listing, ordered) {
                world.list_action_late(position, late.seconds);
                late.fault.into_iter().for_each(|fault| call.app.faults.hit(fault));
            }
            (action_json(world, world.action(position)), ordered)
        });
        (placed, machine_id)
    });
    let (action, ordered) = placed.map_err(|refused| match refused {
        OrderRefused::AlreadyInProgress => call.bad("ActiveRequestAlreadyExists", ALREADY),
        OrderRefused::TooManySessions => {
            call.too_many(&format!("Maximum number of concurrent sessions ({SESSION_COUNT_MAX}) exceeded"), 60)
        }
    })?;
    if matches!(ordered, Ordered::New(_)) {
        call.applied(&format!("machines/{machine_id}/{}", kind.xdr()), Effect::Order);
    }
    Ok(call.entity(StatusCode::CREATED, "MachineActions/$entity", action))
}

/// Offboarding and restricting programs work on Windows only (their pages; the latter G).
fn is_supported(call: &Call, kind: ActionKind, device: &Device) -> Result<(), Refusal> {
    let windows_only = matches!(kind, ActionKind::Offboard | ActionKind::Restrict | ActionKind::Unrestrict);
    if windows_only && !device.is_windows() {
        let message = format!("{} is not supported on {}", kind.xdr(), device.os_platform);
        return Err(call.bad("OsPlatformNotSupported", &message));
    }
    Ok(())
}

/// The pages print this sentence.
pub(crate) const ALREADY: &str = "Action is already in progress";
const UNMANAGED: &str = "UnManagedDevice";
const ISOLATION_TYPES: &[&str] = &["Full", "Selective", UNMANAGED];

const ISOLATE: Door = Door { roles: &["Machine.Isolate"], limit: usual("mde isolate") };
const UNISOLATE: Door = Door { roles: &["Machine.Isolate"], limit: usual("mde unisolate") };
const RESTRICT: Door = Door { roles: &["Machine.RestrictExecution"], limit: usual("mde restrict") };
const UNRESTRICT: Door = Door { roles: &["Machine.RestrictExecution"], limit: usual("mde unrestrict") };
const SCAN: Door = Door { roles: &["Machine.Scan"], limit: usual("mde scan") };
const COLLECT: Door = Door { roles: &["Machine.CollectForensics"], limit: usual("mde collect") };
const OFFBOARD: Door = Door { roles: &["Machine.Offboard"], limit: usual("mde offboard") };
/// The page also lists the machine roles, oddly: the strict reading counts.
const QUARANTINE: Door = Door { roles: &["Machine.StopAndQuarantine"], limit: usual("mde quarantine") };
