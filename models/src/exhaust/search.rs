//! Breadth first over every state of a world, so that the path to a violation is the shortest.

use core::fmt::Debug;

use super::menu::{Menu, Move};
use super::met::Met;
use super::{Counterexample, Listener, Progress, Walk};
use crate::catch::caught;

/// A machine and a small environment around it.
///
/// Whatever must not be is a panic: of the machine, its `check`, or the environment.
pub(super) trait World: Clone {
    /// Something that may happen; small, because every state remembers what led to it.
    type Choice: Copy;
    /// What the machine wants done.
    type Action: Clone + Debug;

    /// Everything that may happen next. Where nothing more goes wrong the very first does.
    fn moves(&self, menu: &mut Menu<Self::Choice>);

    /// A choice in words.
    fn name(&self, choice: Self::Choice) -> String;

    /// Takes a choice: calls the machine's own step.
    fn take(&mut self, choice: Self::Choice) -> Vec<Self::Action>;

    /// Panics unless the machine's answer and state are right.
    fn judge(&mut self, step: Move<Self::Choice>, actions: &[Self::Action]);

    /// Tries in this state what must do nothing; panics if it does something.
    fn poke(&self);

    /// Whether nothing is left to come. Panics if it is and something is left behind.
    fn is_over(&self) -> bool;

    /// What tells this state from others.
    fn fingerprint(&self) -> u128;
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Most states that are kept.
    pub(super) states: u32,
    /// Whether states that look alike are made to prove that they are.
    pub(super) lookalikes: bool,
}

/// Nothing follows: the world is over.
const OVER: u32 = u32::MAX;
/// What follows is not known: the search ended before.
const UNKNOWN: u32 = u32::MAX - 1;

pub(super) struct Search<'a, W: World> {
    origin: W,
    bounds: Bounds,
    progress: &'a mut Listener<'a>,
    met: Met,
    /// By state: which one it was first reached from, and how.
    parents: Vec<(u32, Option<Move<W::Choice>>)>,
    /// By state: which one the kind world makes of it.
    next: Vec<u32>,
    /// By state: the sum of the fingerprints of those that follow.
    futures: Vec<u128>,
    /// States met again and what follows them here.
    twins: Vec<(u32, u128)>,
    walk: Walk,
}

/// A state that has not been looked at from within.
struct Open<W> {
    world: W,
    number: u32,
}

/// Walks every order of everything that may happen.
pub(super) fn search<W: World>(
    name: &'static str,
    origin: W,
    bounds: Bounds,
    progress: &mut Listener<'_>,
) -> Result<Walk, Box<Counterexample>> {
    let mut search = Search {
        origin: origin.clone(),
        bounds,
        progress,
        met: Met::new(),
        parents: vec![],
        next: vec![],
        futures: vec![],
        twins: vec![],
        walk: Walk { name, ..Walk::default() },
    };
    let (number, _) = search.meet(origin.fingerprint(), 0, None);
    let mut level = vec![Open { world: origin, number }];
    while !level.is_empty() {
        level = search.level(level)?;
    }
    search.twins_agree()?;
    search.rest_is_near()?;
    search.tell(true);
    Ok(search.walk)
}

impl<W: World> Search<'_, W> {
    fn meet(&mut self, print: u128, from: u32, by: Option<Move<W::Choice>>) -> (u32, bool) {
        let (number, fresh) = self.met.meet(print);
        if fresh {
            self.parents.push((from, by));
            self.next.push(UNKNOWN);
            self.futures.push(0);
            self.walk.states = u64::from(self.met.len());
        }
        (number, fresh)
    }

    fn tell(&mut self, done: bool) {
        let Walk { name, states, moves, depth, .. } = self.walk;
        (self.progress)(&Progress { name, states, moves, depth, done });
    }

    fn level(&mut self, level: Vec<Open<W>>) -> Result<Vec<Open<W>>, Box<Counterexample>> {
        let mut deeper = vec![];
        for (index, open) in level.into_iter().enumerate() {
            if index % 4_096 == 0 {
                self.tell(false);
            }
            if self.met.len() >= self.bounds.states {
                self.walk.cut_short = true;
                return Ok(vec![]);
            }
            self.expand(open, &mut deeper)?;
        }
        self.walk.depth += u32::from(!deeper.is_empty());
        Ok(deeper)
    }

    /// Takes every choice that a state has.
    fn expand(
        &mut self,
        open: Open<W>,
        deeper: &mut Vec<Open<W>>,
    ) -> Result<(), Box<Counterexample>> {
        let Open { world, number } = open;
        let over = caught(|| {
            world.poke();
            world.is_over()
        });
        if over.map_err(|failure| self.broken(number, None, failure.message))? {
            self.walk.ends += 1;
            self.next[number as usize] = OVER;
            return Ok(());
        }
        for (index, step) in self.steps(&world, number)?.enumerate() {
            let after = self.follow(&world, number, step)?;
            self.walk.moves += 1;
            let print = after.fingerprint();
            self.futures[number as usize] = self.futures[number as usize].wrapping_add(print);
            let (next, fresh) = self.meet(print, number, Some(step));
            if index == 0 {
                self.next[number as usize] = next;
            }
            if fresh {
                deeper.push(Open { world: after, number: next });
            } else if self.bounds.lookalikes {
                let future = self.future(&after, next)?;
                self.twins.push((next, future));
            }
        }
        Ok(())
    }

    fn steps(
        &self,
        world: &W,
        number: u32,
    ) -> Result<impl Iterator<Item = Move<W::Choice>> + use<W>, Box<Counterexample>> {
        let mut menu = Menu::new();
        world.moves(&mut menu);
        if menu.kind.is_empty() {
            let why = "nothing is left to happen, and it is not over".into();
            return Err(self.broken(number, None, why));
        }
        Ok(menu.kind.into_iter().chain(menu.unkind))
    }

    fn follow(
        &self,
        world: &W,
        number: u32,
        step: Move<W::Choice>,
    ) -> Result<W, Box<Counterexample>> {
        let mut after = world.clone();
        let judged = caught(|| {
            let actions = after.take(step.choice);
            after.judge(step, &actions);
        });
        match judged {
            Ok(()) => Ok(after),
            Err(failure) => Err(self.broken(number, Some(step), failure.message)),
        }
    }

    /// The sum over all that follow a state.
    fn future(&self, world: &W, number: u32) -> Result<u128, Box<Counterexample>> {
        if world.is_over() {
            return Ok(0);
        }
        let mut sum = 0_u128;
        for step in self.steps(world, number)? {
            sum = sum.wrapping_add(self.follow(world, number, step)?.fingerprint());
        }
        Ok(sum)
    }

    /// States that look alike must have the same future.
    fn twins_agree(&self) -> Result<(), Box<Counterexample>> {
        for &(number, future) in &self.twins {
            if self.next[number as usize] != UNKNOWN && self.futures[number as usize] != future {
                let why = "this state and one that looks like it go on differently".into();
                return Err(self.broken(number, None, why));
            }
        }
        Ok(())
    }

    /// From every state the kind world comes to rest.
    fn rest_is_near(&mut self) -> Result<(), Box<Counterexample>> {
        const OPEN: u32 = u32::MAX;
        const ON_PATH: u32 = u32::MAX - 1;
        let mut steps = vec![OPEN; self.next.len()];
        let mut path = vec![];
        for start in 0..self.next.len() {
            let mut at = start;
            let mut known = loop {
                match (steps[at], self.next[at]) {
                    (ON_PATH, _) => return Err(self.restless(at as u32)),
                    (OPEN, OVER | UNKNOWN) => {
                        steps[at] = 0;
                        break 0;
                    }
                    (OPEN, next) => {
                        steps[at] = ON_PATH;
                        path.push(at);
                        at = next as usize;
                    }
                    (known, _) => break known,
                }
            };
            while let Some(at) = path.pop() {
                known += 1;
                steps[at] = known;
            }
            self.walk.rest_within = self.walk.rest_within.max(known);
        }
        Ok(())
    }

    fn restless(&self, number: u32) -> Box<Counterexample> {
        let why = "a world in which nothing more goes wrong comes back to this state for ever";
        self.broken(number, None, why.into())
    }

    /// Walks to a state again and tells the way.
    fn broken(
        &self,
        number: u32,
        last: Option<Move<W::Choice>>,
        why: String,
    ) -> Box<Counterexample> {
        let mut steps: Vec<_> = last.into_iter().collect();
        let mut at = number;
        while let (before, Some(step)) = self.parents[at as usize] {
            steps.push(step);
            at = before;
        }
        let mut world = self.origin.clone();
        let mut path = vec![];
        while let Some(step) = steps.pop() {
            let name = world.name(step.choice);
            let actions = caught(|| world.take(step.choice)).unwrap_or_default();
            path.push((name, actions.iter().map(|action| format!("{action:?}")).collect()));
            // The last one is known to be wrong.
            if !steps.is_empty() {
                world.judge(step, &actions);
            }
        }
        Box::new(Counterexample { world: self.walk.name, why, path })
    }
}
