//! What ends: steps, items, loops, bodies, the run; and what is given up.

use super::{
    Address, Command, Item, Kind, LoopState, Phase, Plan, RunEnd, Scope, State, StepState, TimerKind,
    apply::{Turn, Work, class},
};
use crate::{
    decide::{Class, Gathered, Outcome, Skipped, Tally},
    document::{OnError, Run},
};

impl Turn<'_> {
    /// A step or an item has ended.
    pub(super) fn end(&mut self, at: &Address, outcome: Outcome, skipped: Option<Skipped>) {
        self.commands.push(Command::Record { at: at.clone(), outcome, skipped });
        if let Some(item) = at.last().item {
            if let Some(each) = self.state.loop_mut(at) {
                each.open.remove(&item);
                each.mark(item, outcome);
            }
            return self.work.push(Work::Fill(at.whole()));
        }
        let was_at_work = self.state.scope(at).is_some_and(|scope| scope.0.contains_key(&at.last().step));
        self.put(at, StepState::Ended(outcome));
        if was_at_work && self.plan.step(at.last().step).timeout.is_some() {
            self.clear_timer(at, TimerKind::Timeout);
        }
        self.work.push(Work::Scan(at.outer()));
    }

    /// The loop has ended when all of its items have.
    pub(super) fn gather_loop(&mut self, at: &Address) {
        let Some(each) = self.state.loop_mut(at) else { return };
        if !each.open.is_empty() || each.ended.contains('.') {
            return;
        }
        let mut tally = Tally::default();
        each.outcomes().for_each(|outcome| tally.add(outcome, true));
        let outcome = match (each.overdue, tally.gathered()) {
            (true, _) => Outcome::TimedOut,
            (false, Gathered::Ended(outcome)) => outcome,
            (false, Gathered::Open | Gathered::Doubt) => return,
        };
        let all_asked = each.outcomes().all(|outcome| outcome == Some(Outcome::Succeeded)) && !each.ended.is_empty();
        let asks = matches!(self.plan.step(at.last().step).kind, Kind::Approval { .. });
        // A question that was not asked opens nothing, not even as one of many, or as none of none.
        match asks && !all_asked && outcome == Outcome::Succeeded {
            true => self.end(at, Outcome::Skipped, Some(Skipped::NotAllAsked)),
            false => self.end(at, outcome, None),
        }
    }

    /// A body's item, or the run, has ended when all of its steps have.
    pub(super) fn gather(&mut self, outer: Option<&Address>) {
        let Some(outcome) = self.state.gathered_at(self.plan, outer).and_then(|gathered| match gathered {
            Gathered::Ended(outcome) => Some(outcome),
            Gathered::Open | Gathered::Doubt => None,
        }) else {
            return;
        };
        match outer {
            // It may have been ended by another way meanwhile.
            Some(item) => self.end(item, outcome, None),
            None if self.state.end.is_none() => {
                let outcome = self.state.closing.unwrap_or(outcome);
                let handled = outcome == Outcome::Failed && self.state.is_handled(self.plan);
                let end = RunEnd { outcome, handled };
                self.state.end = Some(end);
                self.commands.push(Command::Finish { end });
            }
            None => {}
        }
    }

    /// The run is given up, or ends by a `stop`: nothing new begins, and what is at work is ended as far as it can be.
    pub(super) fn close(&mut self, outcome: Outcome) {
        if self.state.closing.is_some() {
            return;
        }
        self.state.closing = Some(outcome);
        self.give_up_scope(None);
        self.work.push(Work::Scan(None));
    }

    /// The time of a whole step is up.
    pub(super) fn time_is_up(&mut self, at: &Address) {
        let Some(step) = self.state.scope(at).and_then(|scope| scope.0.get(&at.last().step)) else { return };
        match step {
            StepState::Active(_) => self.interrupt(at, Outcome::TimedOut),
            StepState::Loop(each) => {
                let open: Vec<u32> = each.open.keys().copied().collect();
                if let Some(each) = self.state.loop_mut(at) {
                    each.overdue = true;
                }
                for item in open {
                    self.give_up_item(&at.item(item), Outcome::TimedOut);
                }
                self.work.push(Work::Fill(at.clone()));
            }
            // An evaluation is done before anything else happens.
            StepState::Deciding | StepState::Listing | StepState::Ended(_) => {}
        }
    }

    /// Steps that have not begun are cancelled, those at work interrupted.
    fn give_up_scope(&mut self, outer: Option<&Address>) {
        for number in self.plan.beside(outer.map(|outer| outer.last().step)) {
            let at = outer.map_or_else(|| Address::top(*number), |outer| outer.within(*number));
            let Some(scope) = self.state.scope(&at) else { return };
            let open: Vec<u32> = match scope.0.get(number) {
                None | Some(StepState::Deciding | StepState::Listing) => {
                    self.end(&at, Outcome::Cancelled, None);
                    continue;
                }
                Some(StepState::Ended(_)) => continue,
                Some(StepState::Active(_)) => {
                    self.interrupt(&at, Outcome::Cancelled);
                    continue;
                }
                Some(StepState::Loop(each)) => each.open.keys().copied().collect(),
            };
            for item in open {
                self.give_up_item(&at.item(item), Outcome::Cancelled);
            }
            self.work.push(Work::Fill(at));
        }
    }

    fn give_up_item(&mut self, at: &Address, outcome: Outcome) {
        let item = at.last().item.and_then(|item| self.state.loop_mut(at)?.open.get(&item));
        match item {
            Some(Item::Active(_)) => self.interrupt(at, outcome),
            Some(Item::Body(_)) => {
                self.give_up_scope(Some(at));
                self.work.push(Work::Scan(Some(at.clone())));
            }
            Some(Item::Deciding) => self.end(at, outcome, None),
            None => {}
        }
    }

    /// Ends what is at work, at once where that is true, else as soon as it is known what became of it.
    fn interrupt(&mut self, at: &Address, outcome: Outcome) {
        let kind = &self.plan.step(at.last().step).kind;
        let is_harmless = class(kind) == Class::Safe;
        let Some(active) = self.state.active_mut(at) else { return };
        match active.phase {
            Phase::Calling | Phase::Looking | Phase::Settling if !is_harmless => {
                active.ending = active.ending.or(Some(outcome));
            }
            Phase::Child => {
                let is_first = active.ending.is_none();
                active.ending = active.ending.or(Some(outcome));
                if is_first {
                    self.commands.push(Command::CancelChild { at: at.clone() });
                }
            }
            // It ends when that is done, as it was to end when it began.
            Phase::CallingOff => {}
            Phase::Doubt => active.ending = active.ending.or(Some(outcome)),
            Phase::Pending => {
                self.clear_timer(at, TimerKind::Again);
                self.leave_started(at, outcome);
            }
            Phase::Following => self.leave_started(at, outcome),
            phase => {
                match phase {
                    Phase::Pausing | Phase::Settling => self.clear_timer(at, TimerKind::Again),
                    Phase::Asking => {
                        self.clear_timer(at, TimerKind::Expiry);
                        self.commands.push(Command::Withdraw { at: at.clone() });
                    }
                    Phase::Sleeping => self.clear_timer(at, TimerKind::Wake),
                    _ => {}
                }
                self.end(at, outcome, None);
            }
        }
    }
}

impl State {
    /// What becomes of the run as things stand.
    pub fn gathered(&self, plan: &Plan) -> Gathered {
        self.gathered_at(plan, None).unwrap_or(Gathered::Open)
    }

    fn gathered_at(&self, plan: &Plan, outer: Option<&Address>) -> Option<Gathered> {
        let parent = outer.map(|outer| outer.last().step);
        let steps = plan.beside(parent);
        let first = *steps.first()?;
        let at = outer.map_or_else(|| Address::top(first), |outer| outer.within(first));
        let scope = self.scope(&at)?;
        let mut tally = Tally::default();
        for number in steps {
            let counts = plan.step(*number).on_error == OnError::Fail;
            tally.add(scope.0.get(number).and_then(StepState::outcome), counts);
        }
        // A step that waits for one in doubt waits for the same person.
        let waits_for_doubt = tally.open && scope.is_held_by_doubts(steps);
        tally.only_doubts |= waits_for_doubt;
        Some(tally.gathered())
    }

    /// Whether each failed step had one behind it that runs for that and went well.
    fn is_handled(&self, plan: &Plan) -> bool {
        let outcome = |number: &u16| self.top.0.get(number).and_then(StepState::outcome);
        let mut failed = plan
            .top
            .iter()
            .filter(|number| outcome(number).is_some_and(Outcome::is_failure))
            .filter(|number| plan.step(**number).on_error == OnError::Fail)
            .peekable();
        failed.peek().is_some()
            && failed.all(|number| {
                plan.top.iter().any(|behind| {
                    let step = plan.step(*behind);
                    step.run == Run::OnFailure
                        && step.after.iter().any(|(before, _)| before == number)
                        && outcome(behind) == Some(Outcome::Succeeded)
                })
            })
    }
}

impl Scope {
    /// Whether everything that has begun and not ended is in doubt.
    fn is_held_by_doubts(&self, steps: &[u16]) -> bool {
        let begun = steps.iter().filter_map(|number| self.0.get(number));
        let mut open = begun.filter(|step| !matches!(step, StepState::Ended(_))).peekable();
        open.peek().is_some() && open.all(|step| step.outcome() == Some(Outcome::NeedsAttention))
    }
}

impl LoopState {
    fn mark(&mut self, item: u32, outcome: Outcome) {
        let at = usize::try_from(item).expect("a number of an item fits the memory");
        if at < self.ended.len() {
            self.ended.replace_range(at..=at, letter(outcome));
        }
    }

    pub(super) fn give_up_the_rest(&mut self, outcome: Outcome) {
        while u64::from(self.next) < self.ended.len() as u64 {
            self.mark(self.next, outcome);
            self.next += 1;
        }
    }

    /// How each item ended, in order.
    pub fn outcomes(&self) -> impl Iterator<Item = Option<Outcome>> + '_ {
        self.ended.chars().map(|found| Outcome::ALL.into_iter().find(|outcome| letter(*outcome).starts_with(found)))
    }
}

pub(super) fn letter(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "s",
        Outcome::Failed => "f",
        Outcome::Skipped => "k",
        Outcome::Cancelled => "c",
        Outcome::TimedOut => "t",
        Outcome::NeedsAttention => "n",
    }
}
