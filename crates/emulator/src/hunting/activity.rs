//! The ordinary days of a company: programs that start, by the hour, the same for every table that shows them.

use super::{
    actor::{Actor, person_account, system_account},
    history::History,
    programs::{Program, longest_command, odd_text, of_platform},
    sheet::Reach,
};
use crate::world::{Device, Dice, Person, Ticks, World};

/// One program that was started on one device.
#[derive(Debug)]
pub(super) struct Activity<'w> {
    pub at: Ticks,
    pub index: usize,
    pub device: &'w Device,
    pub person: &'w Person,
    pub program: &'static Program,
    pub actor: Actor,
    pub grandparent: &'static str,
}

/// Whole hours within reach that are over, as numbers since 1970.
pub(super) fn hours(reach: Reach) -> std::ops::Range<i64> {
    let first = -(-reach.from.0).div_euclid(HOUR.0);
    first..reach.to.0.div_euclid(HOUR.0)
}

/// An instant within an hour.
pub(super) fn within(hour: i64, dice: &mut Dice) -> Ticks {
    Ticks(hour * HOUR.0 + dice.between(0, HOUR.0))
}

/// The n-th program that was started in an hour. `None`: its device was not heard then.
pub(super) fn of_hour<'w>(world: &'w World, history: &History, hour: i64, number: u64) -> Option<Activity<'w>> {
    let mut dice = world.dice(&[72, hour.unsigned_abs(), number]);
    let index = dice.below(world.company.devices.len());
    let device = &world.company.devices[index];
    let at = within(hour, &mut dice);
    if !history.is_heard(index, at) {
        return None;
    }
    let person = &world.company.people[device.owner];
    let program = dice.pick(of_platform(device.os_platform));
    let account = if program.is_personal {
        person_account(person, world.company.nt_domain)
    } else {
        system_account(device.is_windows())
    };
    let parent_started = at.plus_s(-dice.between(20, 40_000));
    let actor = Actor {
        image: program.facts(),
        pid: dice.between(300, 32_000),
        command: command(program, person, &mut dice),
        started: at,
        parent: program.parent.to_owned(),
        parent_pid: dice.between(200, 9_000),
        parent_started,
        is_elevated: !program.is_personal,
        account,
    };
    let grandparent = super::programs::program(program.parent).map_or("", |parent| parent.parent);
    Some(Activity { at, index, device, person, program, actor, grandparent })
}

impl Activity<'_> {
    /// A moment while it ran.
    pub(super) fn later(&self, dice: &mut Dice) -> Ticks {
        Ticks(self.at.0 + dice.between(1_000_000, 600_000_000))
    }

    /// The process that started it.
    pub(super) fn parent(&self) -> Actor {
        let account = self.actor.account.clone();
        let mut parent =
            Actor::well_known(self.program.parent, self.actor.parent_pid, self.actor.parent_started, account);
        self.grandparent.clone_into(&mut parent.parent);
        parent
    }
}

fn command(program: &Program, person: &Person, dice: &mut Dice) -> String {
    match dice.below(400) {
        0 => longest_command(dice),
        1..8 => format!("{} {}", program.file, odd_text(dice)),
        _ => {
            let text = *dice.pick(program.commands);
            filled(text, person, dice)
        }
    }
}

/// A text of the catalogue with its blanks filled in.
pub(super) fn filled(text: &str, person: &Person, dice: &mut Dice) -> String {
    text.replace("{user}", &person.account).replace("{n}", &dice.between(10, 9_999).to_string())
}

const HOUR: Ticks = Ticks(36_000_000_000);
/// Programs that start in one hour, at the default size.
pub(super) const STARTS_PER_HOUR: u64 = 4;
