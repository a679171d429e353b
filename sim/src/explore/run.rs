//! Runs a case: the wild phase, the quiet phase, the end.

use core::net::IpAddr;
use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use regatta_core::Instant;
use regatta_core::types::Origin;
use regatta_core::upstream::Protocols;
use regatta_models::catch::{Failure, caught};
use regatta_models::seen::Seen;
use regatta_models::tape::Tape;
use regatta_runtime::{Client, Roots, Runtime as _};

use super::ask::{Callers, ask};
use super::book::Book;
use super::case::{Case, Mode, OriginPlan, Profile};
use super::fault::FaultKind;
use super::monitor::{Law, Monitor, violated};
use super::weather::Weather;
use super::workload::RequestPlan;
use super::{quiet, story};
use crate::choice::{Choices, Count, Point};
use crate::executor::{Net, Stuck};
use crate::host::Host;
use crate::net::link::Link;
use crate::net::nat::Nat;
use crate::peer::{Scene, Script, endpoint};
use crate::step::Divergence;
use crate::tls;

/// How a tape is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How likely things are.
    pub profile: Profile,
    /// The seed, for what is seen first.
    pub seed: u64,
    /// Points that are switched off.
    pub without: Vec<Point>,
    /// Keeps records and steps for people.
    pub trace: bool,
    /// Keeps the log of steps, to compare another run with.
    pub log: bool,
    /// The log of the first run.
    pub expect: Option<Vec<u32>>,
}

impl Options {
    /// As the explorer runs seeds.
    pub const fn new(profile: Profile) -> Self {
        Self { profile, seed: 0, without: Vec::new(), trace: false, log: false, expect: None }
    }
}

/// What kind of failure a violation is; each has its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// An invariant did not hold, or something panicked.
    Violation,
    /// Something never came to its end.
    Liveness,
    /// Two runs of one tape were not the same.
    Determinism,
}

/// How a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What kind of failure it is.
    pub class: Class,
    /// Which invariant or place, and what was said.
    pub failure: Failure,
}

/// A run that is over.
#[derive(Debug)]
pub struct Ended {
    /// How it failed, if it did.
    pub violation: Option<Violation>,
    /// The case.
    pub case: Rc<Case>,
    /// What was drawn.
    pub tape: Vec<u8>,
    /// What was seen and evaluated.
    pub seen: Seen,
    /// How often each choice point was asked and fired.
    pub points: Vec<Count>,
    /// Whether it was too long and was ended without a verdict.
    pub cut_short: bool,
    /// How many steps there were.
    pub steps: u64,
    /// All steps and the last draw in one number.
    pub digest: u64,
    /// The log of steps, where it was asked for.
    pub log: Vec<u32>,
    /// Where this run went another way than the first.
    pub divergence: Option<Divergence>,
    /// Virtual time at the end.
    pub at: Instant,
    /// What people read, where it was asked for.
    pub story: Vec<String>,
    /// With it: how many steps and bytes of the tape there had been after each step.
    pub places: Vec<(u64, usize)>,
}

/// Runs a tape.
pub fn run(mut tape: Tape, options: &Options) -> Ended {
    let case = Rc::new(Case::draw(&mut tape, options.profile));
    let mut choices = match case.mode {
        Mode::Wild => Choices::new(tape),
        Mode::Stable | Mode::Golden => Choices::quiet(tape),
    };
    for point in &options.without {
        choices.switch(*point, false);
    }
    let net = Net::new(choices, case.seed);
    net.steps(|steps| {
        if options.trace {
            steps.keep();
        }
        if options.log {
            steps.log();
        }
        if let Some(log) = &options.expect {
            steps.expect(log.clone());
        }
    });
    let mut fresh = Seen::default();
    fresh.begin(options.seed);
    let seen = Arc::new(Mutex::new(fresh));
    let mut stage = None;
    let result = caught(|| {
        let stage = stage.insert(Stage::set(&net, &case, &seen, options.trace));
        stage.play();
    });
    let seen = stage.as_mut().map(Stage::seen).unwrap_or_default();
    let story = stage.as_ref().map(Stage::story).unwrap_or_default();
    let places = stage.as_ref().map(|stage| stage.places.take()).unwrap_or_default();
    let (result, cut_short) = match result {
        Err(failure) if failure.message == TOO_LONG => (Ok(()), true),
        result => (result, false),
    };
    let left = caught(|| drop(stage));
    let last = net.choices(|choices| choices.draw("last", u32::MAX));
    let ended = Ended {
        violation: result.and(left).err().map(Violation::of),
        cut_short,
        tape: net.choices(|choices| choices.tape().bytes().to_vec()),
        seen,
        points: net.choices(|choices| choices.counts().collect()),
        steps: net.steps(|steps| steps.count()),
        digest: net.steps(|steps| {
            steps.fold(last.into());
            steps.digest()
        }),
        log: net.steps(|steps| steps.take_log()),
        divergence: net.steps(|steps| steps.divergence()),
        at: net.now(),
        story,
        places,
        case,
    };
    let dropped = caught(|| drop(net));
    match (ended.violation.is_none(), dropped) {
        (true, Err(failure)) => Ended { violation: Some(Violation::of(failure)), ..ended },
        _ => ended,
    }
}

impl Violation {
    /// Tells the class of a panic: those of invariants begin with their name in brackets.
    fn of(mut failure: Failure) -> Self {
        let name = failure.message.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        if let Some((name, _)) = name {
            failure.class = name.to_owned();
        }
        let live = [Law::Liveness, Law::Tasks, Law::Idle].map(Law::name);
        let class = match live.contains(&failure.class.as_str()) {
            true => Class::Liveness,
            false => Class::Violation,
        };
        Self { class, failure }
    }
}

/// A run under way.
pub(super) struct Stage<'a> {
    pub(super) net: &'a Net,
    pub(super) case: Rc<Case>,
    pub(super) scene: Arc<Scene>,
    pub(super) book: Arc<Book>,
    pub(super) monitor: Rc<RefCell<Monitor>>,
    pub(super) client_host: Host,
    pub(super) hosts: Vec<Host>,
    seen: Arc<Mutex<Seen>>,
    wrong: Arc<Mutex<Option<String>>>,
    /// Steps and drawn bytes after each step, where a story is told.
    places: RefCell<Vec<(u64, usize)>>,
}

/// Most steps of a run: where large bodies go through tiny buffers byte by byte there is no end.
const STEPS_MAX: u64 = 500_000;
/// What is said where there were more; no law is broken by it.
const TOO_LONG: &str = "the run is too long";

/// The public address of the client's NAT.
const NAT: [u8; 4] = [192, 0, 2, 250];

/// The client's two addresses.
const CLIENT: [[u16; 8]; 2] =
    [[0, 0, 0, 0, 0, 0xffff, 0xc000, 0x02f0], [0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 1]];

impl<'a> Stage<'a> {
    /// Builds the world.
    fn set(net: &'a Net, case: &Rc<Case>, seen: &Arc<Mutex<Seen>>, trace: bool) -> Self {
        let addresses = CLIENT.map(|words| IpAddr::from(words).to_canonical());
        let client_host = net.host("client", addresses);
        net.stack(&client_host, case.stack);
        if case.nat {
            net.nat(&client_host, Nat::new(NAT.into()));
        }
        let scripts = case.requests.iter().map(|request| script(case, request));
        let scene = Scene::new(scripts.collect()).on_the_spot(case.on_the_spot);
        let elsewhere = case
            .elsewhere
            .iter()
            .map(|name| (name.name, name.addresses.iter().map(|at| case.address(*at)).collect()));
        let scene = scene.with_http3(case.http3).with_elsewhere(elsewhere.collect());
        let scene = Arc::new(scene);
        let mut hosts = Vec::new();
        for (number, plan) in case.hosts.iter().enumerate() {
            let addresses = plan.addresses.iter().map(|(address, _)| *address);
            let host = net.host(&format!("server {number}"), addresses);
            net.stack(&host, case.stack);
            net.link(&client_host, &host, Link::delay(plan.delay));
            hosts.push(host);
        }
        let weather = Weather::new(net, case, &client_host, &hosts);
        for (number, origin) in case.origins.iter().enumerate() {
            net.records(origin.name, weather.records(number));
        }
        for name in &case.elsewhere {
            net.records(name.name, weather.records_of(name));
        }
        case.from_start.iter().for_each(|kind| weather.begin(kind));
        listen(case, &hosts, &scene);
        let client = client(case, client_host.clone());
        let book = Arc::new(Book::new(case.requests.len()));
        let wrong = Arc::new(Mutex::new(None));
        let callers = Callers {
            host: client_host.clone(),
            case: Arc::new((**case).clone()),
            book: Arc::clone(&book),
            seen: Arc::clone(seen),
            wrong: Arc::clone(&wrong),
        };
        for n in 0..case.requests.len() {
            client_host.spawn(ask(callers.clone(), client.clone(), n));
        }
        let fresh = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut monitor = Monitor::new(Rc::clone(case), client, fresh);
        monitor.trace = trace.then(Vec::new);
        Self {
            net,
            case: Rc::clone(case),
            scene,
            book,
            monitor: Rc::new(RefCell::new(monitor)),
            client_host,
            hosts,
            seen: Arc::clone(seen),
            wrong,
            places: RefCell::default(),
        }
    }

    /// Plays all phases; panics on the first lie.
    fn play(&self) {
        self.wild();
        quiet::come_to_an_end(self);
        quiet::judge(self);
        quiet::go_idle(self);
    }

    /// Until all requests have ended, or long enough.
    fn wild(&self) {
        let last = self.case.requests.iter().map(|request| request.at).max();
        let last = last.max(self.case.faults.iter().map(|fault| fault.at).max());
        let more = match self.case.mode {
            Mode::Wild => 1 + self.net.choices(|choices| choices.draw("then", 20_000)),
            Mode::Stable | Mode::Golden => 100_000,
        };
        let end = last.unwrap_or_default() + Duration::from_millis(more.into());
        let faults = self.faults();
        let work = async {
            let all = core::pin::pin!(self.book.all());
            crate::peer::first(all, faults).await;
        };
        match self.go(end, work) {
            Ok(()) | Err(Stuck::TimeIsUp { .. } | Stuck::Deadlock { .. }) => {}
            Err(stuck @ Stuck::Spinning { .. }) => violated(Law::Liveness, &stuck.to_string()),
        }
    }

    /// Runs for so long at most, watching every step.
    pub(super) fn go<T>(&self, time: Duration, work: impl Future<Output = T>) -> Result<T, Stuck> {
        let end = self.net.now() + time;
        let monitor = Rc::clone(&self.monitor);
        self.net.run_until(end, work, || {
            // Work that holds the monitor is being polled no more.
            let steps = self.net.steps(|steps| steps.count());
            let mut monitor = monitor.borrow_mut();
            monitor.time(self.net.now(), self.moved());
            assert!(steps <= STEPS_MAX, "{TOO_LONG}");
            if monitor.trace.is_some() {
                let bytes = self.net.choices(|choices| choices.tape().bytes().len());
                self.places.borrow_mut().push((steps, bytes));
            }
            monitor.step(steps);
            drop(monitor);
            self.complaints();
        })
    }

    /// How much callers and servers got so far.
    pub(super) fn moved(&self) -> u64 {
        self.book.moved() + self.scene.moved()
    }

    fn complaints(&self) {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(text) = wrong.or_else(|| self.scene.complaint()) {
            violated(Law::Right, &text);
        }
    }

    /// The network of the run.
    pub(super) fn weather(&self) -> Weather<'_> {
        Weather::new(self.net, &self.case, &self.client_host, &self.hosts)
    }

    /// Lets what was drawn go wrong at its time, and right again.
    async fn faults(&self) {
        let faults = &self.case.faults;
        let mut changes: Vec<_> = (0..faults.len())
            .flat_map(|n| [(faults[n].at, n, true), (faults[n].at + faults[n].time, n, false)])
            .collect();
        changes.sort();
        for (at, n, begins) in changes {
            let wait = (Instant::EPOCH + at).saturating_since(self.net.now());
            self.client_host.sleep(wait).await;
            let kind = &faults[n].kind;
            if !begins {
                self.weather().end(kind);
                continue;
            }
            self.monitor.borrow_mut().seen.sometimes("fault", kind.name());
            self.weather().begin(kind);
            if *kind == FaultKind::NoUdp && at.is_zero() {
                self.monitor.borrow_mut().seen.sometimes("http3", "blocked from the start");
            }
            if *kind == FaultKind::NoUdp && !at.is_zero() {
                self.monitor.borrow_mut().on_blocked();
            }
            if *kind == FaultKind::Rebind {
                self.monitor.borrow_mut().on_rebind();
            }
            let client = self.monitor.borrow().client().cloned();
            match (kind, client) {
                (FaultKind::NetworkChanged, Some(client)) => {
                    client.network_changed();
                    self.monitor.borrow_mut().on_network_changed();
                }
                (FaultKind::ClientDrains, Some(client)) => client.drain(),
                _ => {}
            }
        }
        core::future::pending::<()>().await;
    }

    fn seen(&mut self) -> Seen {
        let mut seen = self.monitor.borrow_mut().finish();
        seen.merge(&self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        for ((group, item), times) in self.scene.met() {
            for _ in 0..times {
                seen.sometimes(group, item);
            }
        }
        seen
    }

    fn story(&self) -> Vec<String> {
        let mut monitor = self.monitor.borrow_mut();
        let Some(records) = monitor.trace.take() else { return Vec::new() };
        let entries = self.book.entries().into_iter().enumerate();
        let requests: Vec<_> = entries.map(|(n, entry)| (entry, self.scene.fate(n))).collect();
        self.net.steps(|steps| story::tell(&self.case, steps.kept(), &records, &requests))
    }
}

/// Starts everybody who listens: at every port that an origin at that address has.
fn listen(case: &Case, hosts: &[Host], scene: &Arc<Scene>) {
    for (number, plan) in case.hosts.iter().enumerate() {
        for (place, (address, conduct)) in plan.addresses.iter().enumerate() {
            for port in [443, 80] {
                let asked = case.origins.iter().chain(&case.elsewhere).any(|origin| {
                    origin.port() == port && origin.addresses.contains(&(number, place))
                });
                if asked {
                    let at = core::net::SocketAddr::new(*address, port);
                    let (host, scene) = (hosts[number].clone(), Arc::clone(scene));
                    let task = endpoint(host.clone(), at, port == 443, conduct.clone(), scene);
                    host.spawn(task);
                }
            }
        }
    }
}

/// A request as servers must know it.
fn script(case: &Case, request: &RequestPlan) -> Script {
    let origin = case.origins[request.origin].name;
    let protocols = case.client.protocols.get(usize::from(request.profile));
    Script {
        method: request.method.clone(),
        upload: request.upload,
        answer: request.answer.clone(),
        origin,
        races: protocols == Some(&Protocols::AutoHttp3),
        asks_dns: case.client.https_records && case.records.iter().any(|(name, _)| *name == origin),
    }
}

fn client(case: &Case, host: Host) -> Client<Host> {
    let plan = &case.client;
    let mut second = regatta_runtime::Profile::default();
    second.roots = Roots::Der(vec![tls::ROOT.to_vec()]);
    second.protocols = plan.protocols[1];
    second.early_data = plan.early_data;
    second.https_records = plan.https_records;
    let mut builder = Client::builder(host);
    for (origin, offer) in &plan.known {
        let OriginPlan { name, scheme, .. } = &case.origins[*origin];
        let port = scheme.default_port();
        let origin = Origin { scheme: *scheme, host: (*name).into(), port };
        builder = builder.alternative(origin, offer.clone());
    }
    let built = builder
        .pool(|pool| *pool = plan.pool.clone())
        .limits(|limits| *limits = plan.limits.clone())
        .eyeballs(|eyeballs| *eyeballs = plan.eyeballs.clone())
        .race(|race| *race = plan.race.clone())
        .engine(|engine| *engine = plan.engine.clone())
        .upstream(|upstream| {
            upstream.max_sockets = plan.whole.max_sockets;
            upstream.max_handshakes = plan.whole.max_handshakes;
            upstream.max_pools = plan.whole.max_pools;
            upstream.pool_idle_timeout = plan.whole.pool_idle_timeout;
            upstream.address_lifetime = plan.whole.address_lifetime;
            upstream.burst = plan.whole.burst;
            upstream.alternatives = plan.alternatives.clone();
        })
        .request_timeout(plan.timeout)
        .roots(Roots::Der(vec![tls::ROOT.to_vec()]))
        .profile(|profile| profile.protocols = plan.protocols[0])
        .early_data(plan.early_data)
        .https_records(plan.https_records)
        .add_profile(second)
        .build();
    built.expect("the drawn settings are legal")
}
