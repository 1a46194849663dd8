//! What begins: steps whose time has come, items of loops.

use super::{
    Active, Address, Command, Evaluated, Item, Kind, LoopState, Phase, Scope, StepState, TimerKind, What,
    apply::{Turn, Work},
};
use crate::{
    decide::{Before, Outcome, Start, When, start},
    document::ITEMS_MAX,
};

impl Turn<'_> {
    /// Works off what has ended, until nothing more begins or ends by itself.
    pub(super) fn go_on(&mut self) {
        while let Some(work) = self.work.pop() {
            match work {
                Work::Scan(outer) => self.scan(outer.as_ref()),
                Work::Fill(at) => self.fill(&at),
            }
        }
    }

    /// Looks through the steps of one body, or of the top, for those that can begin.
    fn scan(&mut self, outer: Option<&Address>) {
        let parent = outer.map(|outer| outer.last().step);
        let plan = self.plan;
        let mut again = true;
        while again {
            again = false;
            for number in plan.beside(parent) {
                let at = outer.map_or_else(|| Address::top(*number), |outer| outer.within(*number));
                let Some(scope) = self.state.scope(&at) else { return };
                if scope.0.contains_key(number) {
                    continue;
                }
                let step = plan.step(*number);
                // Of a loop each item has its own.
                let when = if step.has_when && step.each.is_none() { When::NotYet } else { When::Absent };
                let found = start(before(scope, &step.after), step.run, when, step.disabled);
                again |= found != Start::Wait;
                self.begin_as(&at, found);
            }
        }
        self.gather(outer);
    }

    /// A step whose `when` is known now.
    pub(super) fn begin_decided(&mut self, at: &Address, when: When) {
        if at.last().item.is_some() {
            return match when {
                When::True | When::Absent => self.begin_unit(at),
                When::False => self.end(at, Outcome::Skipped, Some(crate::decide::Skipped::WhenFalse)),
                When::Broken | When::NotYet => self.end(at, Outcome::Failed, None),
            };
        }
        let step = self.plan.step(at.last().step);
        let Some(scope) = self.state.scope_mut(at) else { return };
        scope.0.remove(&at.last().step);
        let found = start(before(scope, &step.after), step.run, when, step.disabled);
        self.begin_as(at, found);
    }

    fn begin_as(&mut self, at: &Address, found: Start) {
        match found {
            Start::Wait => {}
            Start::Decide => {
                self.put(at, StepState::Deciding);
                self.evaluate(at, What::When);
            }
            Start::Begin => self.begin(at),
            Start::Skip(why) => self.end(at, Outcome::Skipped, Some(why)),
            Start::Cancel => self.end(at, Outcome::Cancelled, None),
            Start::Fail => self.end(at, Outcome::Failed, None),
        }
    }

    fn begin(&mut self, at: &Address) {
        let step = self.plan.step(at.last().step);
        if let Some(timeout) = step.timeout {
            self.set_timer(at, TimerKind::Timeout, timeout);
        }
        if step.each.is_some() {
            self.put(at, StepState::Listing);
            return self.evaluate(at, What::List);
        }
        self.begin_unit(at);
    }

    /// The list of a loop is known.
    pub(super) fn begin_loop(&mut self, at: &Address, result: Evaluated) {
        match result {
            Evaluated::Items(count) if count <= ITEMS_MAX => {
                let ended = ".".repeat(usize::try_from(count).expect("a count fits the memory"));
                let each = LoopState { ended, next: 0, open: std::collections::BTreeMap::new(), overdue: false };
                self.put(at, StepState::Loop(each));
                self.work.push(Work::Fill(at.clone()));
            }
            _ => self.end(at, Outcome::Failed, None),
        }
    }

    /// Begins as many items as may be at work at once; when all have ended, so has the loop.
    fn fill(&mut self, at: &Address) {
        let step = self.plan.step(at.last().step);
        let parallel = step.each.map_or(1, |each| each.parallel);
        let is_closing = self.state.closing.is_some();
        loop {
            let Some(each) = self.state.loop_mut(at) else { return };
            let unbegun = if each.overdue { Some(Outcome::TimedOut) } else { is_closing.then_some(Outcome::Cancelled) };
            if let Some(outcome) = unbegun {
                each.give_up_the_rest(outcome);
            }
            let open = u32::try_from(each.open.len()).expect("at most 50 items are at work");
            if open >= parallel || u64::from(each.next) >= each.ended.len() as u64 {
                break;
            }
            let item = at.item(each.next);
            each.next += 1;
            match step.has_when {
                true => {
                    each.open.insert(item.last().item.expect("it is an item"), Item::Deciding);
                    self.evaluate(&item, What::When);
                }
                false => self.begin_unit(&item),
            }
        }
        self.gather_loop(at);
    }

    /// Begins what the step does, once or for one item.
    pub(super) fn begin_unit(&mut self, at: &Address) {
        let kind = &self.plan.step(at.last().step).kind;
        let phase = match kind {
            Kind::Call(_) | Kind::Code => Phase::Calling,
            Kind::Workflow { .. } => Phase::Child,
            Kind::Approval { .. } => Phase::Asking,
            Kind::Wait(Some(_)) => Phase::Sleeping,
            Kind::Wait(None) | Kind::Set | Kind::Respond | Kind::Stop(_) => Phase::Evaluating,
            Kind::Body(_) => {
                self.put_item(at, Item::Body(Scope::default()));
                return self.work.push(Work::Scan(Some(at.clone())));
            }
        };
        match at.last().item {
            Some(_) => self.put_item(at, Item::Active(Active::new(phase))),
            None => self.put(at, StepState::Active(Active::new(phase))),
        }
        match kind {
            Kind::Call(_) | Kind::Code => self.commands.push(Command::Call { at: at.clone(), attempt: 1 }),
            Kind::Workflow { waits } => {
                self.commands.push(Command::StartChild { at: at.clone() });
                if !waits {
                    self.end(at, Outcome::Succeeded, None);
                }
            }
            Kind::Approval { within, .. } => {
                self.commands.push(Command::Ask { at: at.clone() });
                self.set_timer(at, TimerKind::Expiry, *within);
            }
            Kind::Wait(Some(length)) => self.set_timer(at, TimerKind::Wake, *length),
            Kind::Wait(None) => self.evaluate(at, What::Wait),
            Kind::Set => self.evaluate(at, What::Set),
            Kind::Respond => self.evaluate(at, What::Respond),
            Kind::Stop(_) => self.evaluate(at, What::Stop),
            Kind::Body(_) => {}
        }
    }

    pub(super) fn was_deciding(&mut self, at: &Address) -> bool {
        let place = at.last();
        let found = self.state.scope(at).and_then(|scope| scope.0.get(&place.step));
        match (found, place.item) {
            (Some(StepState::Deciding), None) => true,
            (Some(StepState::Loop(each)), Some(item)) => matches!(each.open.get(&item), Some(Item::Deciding)),
            _ => false,
        }
    }

    pub(super) fn was_listing(&mut self, at: &Address) -> bool {
        let found = self.state.scope(at).and_then(|scope| scope.0.get(&at.last().step));
        matches!(found, Some(StepState::Listing)) && at.last().item.is_none()
    }

    pub(super) fn put(&mut self, at: &Address, step: StepState) {
        if let Some(scope) = self.state.scope_mut(at) {
            scope.0.insert(at.last().step, step);
        }
    }

    fn put_item(&mut self, at: &Address, item: Item) {
        if let (Some(number), Some(each)) = (at.last().item, self.state.loop_mut(at)) {
            each.open.insert(number, item);
        }
    }
}

fn before(scope: &Scope, after: &[(u16, Vec<Outcome>)]) -> Before {
    let mut before = Before::default();
    for (number, accept) in after {
        before.add(scope.0.get(number).and_then(StepState::outcome), accept);
    }
    before
}
