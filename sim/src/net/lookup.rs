//! One look-up: the answers of A and AAAA as they come.

use core::fmt;
use core::net::IpAddr;
use core::task::{Context, Poll};
use core::time::Duration;

use regatta_core::types::Cause;
use regatta_runtime::{
    Answer, Resolution, Runtime as _, ServicesAnswer, ServicesLookUp, Timer as _,
};

use super::names::{RecordType, Reply};
use super::resolver::Coming;
use crate::choice::Point;
use crate::host::{Host, SimTimer};
use crate::step::StepKind;
use crate::world::World;

/// The answers of one look-up.
pub struct Lookup {
    /// What was asked for and has not come.
    waiting: Vec<Waiting>,
    /// Whether all come in one answer, the last to come.
    together: bool,
    /// What has come of it.
    gathered: Option<Answer>,
    /// Whether any address was answered.
    found: bool,
    /// The reason to fail where none is.
    failed: Option<Cause>,
    finished: bool,
}

struct Waiting {
    timer: Option<SimTimer>,
    coming: Coming,
}

impl Lookup {
    pub(crate) fn new(host: &Host, name: &str) -> Self {
        let mut world = host.shared.world();
        let now = world.now;
        let (coming, together) = match name {
            "localhost" => (vec![loopback()], false),
            name => {
                let (asked, together) = ask(&mut world, name, [RecordType::Aaaa, RecordType::A]);
                (asked.into(), together)
            }
        };
        world.note(StepKind::LookedUp, 0, 0, coming.len() as u64);
        drop(world);
        let waiting = coming.into_iter().map(|coming| {
            let timer = (!coming.after.is_zero()).then(|| host.timer(now + coming.after));
            Waiting { timer, coming }
        });
        Self {
            waiting: waiting.collect(),
            together,
            gathered: None,
            found: false,
            failed: None,
            finished: false,
        }
    }

    /// Takes in what one record says; `Some` is an answer to give at once.
    fn take(&mut self, coming: Coming) -> Option<Answer> {
        let ttl = coming.ttl;
        let addresses = match coming.reply {
            Reply::Addresses(addresses) => addresses,
            Reply::Services(_) | Reply::Data(_) => Vec::new(),
            Reply::NoSuchName => {
                self.failed = Some(Cause::NameNotFound);
                Vec::new()
            }
            Reply::Failure | Reply::Silence => {
                self.failed.get_or_insert(Cause::ResolveFailed);
                Vec::new()
            }
        };
        if addresses.is_empty() {
            return None;
        }
        self.found = true;
        if !self.together {
            return Some(Answer { addresses, ttl });
        }
        let gathered = self.gathered.get_or_insert(Answer { addresses: Vec::new(), ttl });
        gathered.addresses.extend(addresses);
        gathered.ttl = [gathered.ttl, ttl].into_iter().flatten().min();
        None
    }

    /// The first that has come.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Option<Coming> {
        let due = self.waiting.iter_mut().position(|waiting| match &mut waiting.timer {
            Some(timer) => timer.poll_expired(cx).is_ready(),
            None => true,
        })?;
        Some(self.waiting.remove(due).coming)
    }

    /// What is left to say when everything has come.
    fn finish(&mut self) -> Option<Result<Answer, Cause>> {
        if core::mem::replace(&mut self.finished, true) {
            return None;
        }
        let failed = || Err(self.failed.unwrap_or(Cause::NoAddress));
        match self.gathered.take() {
            Some(answer) => Some(Ok(answer)),
            None => (!self.found).then(failed),
        }
    }
}

impl Resolution for Lookup {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Answer, Cause>>> {
        while let Some(coming) = self.poll_next(cx) {
            if let Some(answer) = self.take(coming) {
                return Poll::Ready(Some(Ok(answer)));
            }
        }
        if self.waiting.is_empty() { Poll::Ready(self.finish()) } else { Poll::Pending }
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting: Vec<_> = self.waiting.iter().map(|waiting| &waiting.coming.reply).collect();
        f.debug_struct("Lookup").field("waiting", &waiting).finish_non_exhaustive()
    }
}

/// Asks the resolver, which may be slow.
fn ask<const N: usize>(
    world: &mut World,
    name: &str,
    which: [RecordType; N],
) -> ([Coming; N], bool) {
    let (mut asked, together) = world.network.names.ask(world.now, name, which);
    for one in &mut asked {
        if world.choices.fires(Point::SlowAnswer) {
            let late = world.choices.draw("late answer", 100_000);
            one.after += Duration::from_micros(u64::from(late) + 1);
        }
    }
    (asked, together)
}

/// Looks HTTPS records up.
pub(crate) fn services(host: &Host, name: &str) -> ServicesLookUp {
    let mut world = host.shared.world();
    let ([coming], _) = ask(&mut world, name, [RecordType::Https]);
    world.note(StepKind::LookedUp, 0, 0, 1);
    drop(world);
    let host = host.clone();
    Box::pin(async move {
        host.sleep(coming.after).await;
        let records = match coming.reply {
            Reply::Services(services) => services.iter().map(|one| one.data().into()).collect(),
            Reply::Data(records) => records.into_iter().map(Into::into).collect(),
            Reply::Addresses(_) => Vec::new(),
            Reply::NoSuchName => return Err(Cause::NameNotFound),
            Reply::Failure | Reply::Silence => return Err(Cause::ResolveFailed),
        };
        Ok(ServicesAnswer { owner: None, records, ttl: coming.ttl })
    })
}

fn loopback() -> Coming {
    let addresses = vec![IpAddr::from([127, 0, 0, 1])];
    Coming { after: Duration::ZERO, ttl: None, reply: Reply::Addresses(addresses) }
}
