//! A file's faults, in the words of the net.

use regatta_core::Instant;

use super::format::trouble::{self, Kind};
use super::format::{File, world};
use super::plan::{Wrong, host_of, instant, linked, peers, place, records};
use super::units::Time;
use crate::net::HostId;
use crate::net::fault::Fault;

/// Most times that one fault happens.
const MOST_TIMES: usize = 100_000;

/// A fault and what undoes it.
struct Deed {
    done: Fault,
    undone: Option<Fault>,
}

/// Puts every time that a fault happens, and is undone, into `later`.
pub(super) fn plan(
    file: &File,
    path: &str,
    fault: &trouble::Fault,
    later: &mut Vec<(Instant, Fault)>,
) -> Result<(), Wrong> {
    let Deed { done, undone } = Asked { file, path, fault }.deed()?;
    if let (Some(lasts), Some(every)) = (fault.lasts, fault.every)
        && every <= lasts
    {
        let says = "it happens again before it is over: expected more than `lasts`".to_owned();
        return Err((format!("{path}.every"), says));
    }
    if fault.every == Some(Time::default()) {
        return Err((format!("{path}.every"), "expected more than no time".to_owned()));
    }
    let mut at = fault.at.0;
    for _ in 0..MOST_TIMES {
        if at > file.duration.0 {
            break;
        }
        later.push((instant(Time(at)), done.clone()));
        if let (Some(lasts), Some(undone)) = (fault.lasts, &undone) {
            later.push((instant(Time(at + lasts.0)), undone.clone()));
        }
        match fault.every {
            Some(every) => at += every.0,
            None => break,
        }
    }
    Ok(())
}

struct Asked<'a> {
    file: &'a File,
    path: &'a str,
    fault: &'a trouble::Fault,
}

impl Asked<'_> {
    fn deed(&self) -> Result<Deed, Wrong> {
        let fault = self.fault;
        let deed = |done, undone| Deed { done, undone: Some(undone) };
        let once = |done| Deed { done, undone: None };
        Ok(match fault.kind {
            Kind::LinkDown => {
                let (_, link) = self.link()?;
                let ends = format!("{}.link", self.path);
                let one = host_of(self.file, &ends, &link.between[0])?;
                let other = host_of(self.file, &ends, &link.between[1])?;
                deed(Fault::LinkDown(one, other), Fault::LinkUp(one, other))
            }
            Kind::LinkChanges => {
                let (name, before) = self.link()?;
                let becomes = self.needs("becomes", fault.becomes.as_ref())?;
                let after = linked(self.file, &format!("{}.becomes", self.path), becomes)?;
                deed(after, linked(self.file, &format!("link.{name}"), before)?)
            }
            Kind::Partition => deed(Fault::Partition(self.hosts()?), Fault::Heal),
            Kind::Crash => {
                let host = self.host()?;
                deed(Fault::Crash { host, peers: peers(fault.peers) }, Fault::Restart(host))
            }
            Kind::Stop => deed(Fault::Stop(self.host()?), Fault::Release(self.host()?)),
            Kind::Swizzle => once(Fault::Swizzle {
                hosts: self.hosts()?,
                every: self.needs("apart", fault.apart)?.0,
                hold: self.needs("hold", fault.hold)?.0,
            }),
            Kind::AddAddress | Kind::RemoveAddress => {
                let (host, address) = (self.host()?, self.needs("address", fault.address)?);
                let (add, remove) =
                    (Fault::AddAddress(host, address), Fault::RemoveAddress(host, address));
                match fault.kind {
                    Kind::AddAddress => deed(add, remove),
                    _ => deed(remove, add),
                }
            }
            Kind::RefusePort => once(Fault::RefusePort {
                host: self.host()?,
                port: self.needs("port", fault.port)?,
                time: self.needs("lasts", fault.lasts)?.0,
            }),
            Kind::RebindNat => once(Fault::RebindNat(self.host()?)),
            Kind::NameChanges => {
                let name = self.needs("name", fault.name.as_ref())?.to_ascii_lowercase();
                let after = self.needs("records", fault.records.as_ref())?;
                let path = format!("{}.name", self.path);
                place(&self.file.dns, &path, &name, "name")?;
                let before = &self.file.dns[&name];
                let done = Fault::Name(name.clone(), records(after));
                deed(done, Fault::Name(name, records(before)))
            }
        })
    }

    fn needs<T>(&self, field: &str, value: Option<T>) -> Result<T, Wrong> {
        let says = || format!("this kind of fault is nothing without `{field}`");
        value.ok_or_else(|| (format!("{}.{field}", self.path), says()))
    }

    fn host(&self) -> Result<HostId, Wrong> {
        let name = self.needs("host", self.fault.host.as_ref())?;
        host_of(self.file, &format!("{}.host", self.path), name)
    }

    fn hosts(&self) -> Result<Vec<HostId>, Wrong> {
        let path = format!("{}.hosts", self.path);
        if self.fault.hosts.is_empty() {
            return Err((path, "expected at least one host".to_owned()));
        }
        self.fault.hosts.iter().map(|name| host_of(self.file, &path, name)).collect()
    }

    fn link(&self) -> Result<(&str, &world::Link), Wrong> {
        let name = self.needs("link", self.fault.link.as_ref())?;
        place(&self.file.link, &format!("{}.link", self.path), name, "link")?;
        Ok((name, &self.file.link[name]))
    }
}
