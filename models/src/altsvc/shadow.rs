//! What the ledger should say, worked out from lists.

use super::{
    Alternative, Answer, Call, Config, Duration, Instant, NotLearnt, Origin, Said, Scheme, Shown,
    Source, State, VecDeque,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Confirmed,
    Suspect,
    Broken,
}

#[derive(Clone, Debug)]
struct Tried {
    which: Alternative,
    mark: Mark,
    failures: u32,
    until: Instant,
}

#[derive(Clone, Debug)]
struct Word {
    which: Alternative,
    until: Instant,
    source: Source,
    persist: bool,
}

/// One origin.
#[derive(Clone, Debug)]
struct File {
    origin: usize,
    network: u32,
    rtt: Option<Duration>,
    said: Vec<Word>,
    dns: Vec<(Alternative, Instant)>,
    /// Not offered any more, and tried.
    lost: Vec<Alternative>,
    tried: Vec<Tried>,
}

/// The model.
#[derive(Clone, Debug)]
pub(super) struct Shadow {
    config: Config,
    origins: Vec<Origin>,
    /// The most recently used first.
    files: VecDeque<File>,
    /// Who speaks for a suffix and port.
    speakers: Vec<((usize, u16), usize)>,
    network: u32,
    evicted: u64,
    refused: u64,
}

impl File {
    /// The origin's own host has one form.
    fn own(which: &Alternative, origin: &Origin) -> Alternative {
        let own = which.host.as_deref() == Some(&*origin.host);
        Alternative { host: which.host.clone().filter(|_| !own), ..which.clone() }
    }

    fn knows(&self, which: &Alternative) -> bool {
        self.said.iter().any(|word| word.which == *which)
            || self.dns.iter().any(|(known, _)| known == which)
            || self.lost.contains(which)
    }

    /// Every alternative in the order in which it would be asked for, offered or not.
    fn all(&self) -> Vec<Alternative> {
        let said = self.said.iter().map(|word| word.which.clone());
        let mut all: Vec<Alternative> = said.collect();
        for which in self.dns.iter().map(|(which, _)| which).chain(&self.lost) {
            if !all.contains(which) {
                all.push(which.clone());
            }
        }
        all
    }

    /// What is not offered is lost, in the order in which it stood; what was not tried is gone.
    fn lose(&mut self, before: Vec<Alternative>, most: usize) {
        let offered = |file: &Self, which: &Alternative| {
            file.said.iter().any(|word| word.which == *which)
                || file.dns.iter().any(|(known, _)| known == which)
        };
        let tried =
            |file: &Self, which: &Alternative| file.tried.iter().any(|tried| tried.which == *which);
        let lost = before.into_iter().filter(|which| !offered(self, which) && tried(self, which));
        let lost: Vec<Alternative> = lost.take(most).collect();
        self.lost = lost;
        let known: Vec<Alternative> = self.all();
        self.tried.retain(|tried| known.contains(&tried.which));
    }
}

impl Shadow {
    pub(super) fn new(config: Config, origins: Vec<Origin>) -> Self {
        let (files, speakers) = (VecDeque::new(), vec![]);
        Self { config, origins, files, speakers, network: 0, evicted: 0, refused: 0 }
    }

    fn most(&self) -> usize {
        self.config.max_alternatives.max(1) as usize
    }

    fn is_secure(&self, origin: usize) -> bool {
        self.origins[origin].scheme == Scheme::Https
    }

    fn at(&self, origin: usize) -> Option<usize> {
        self.files.iter().position(|file| file.origin == origin)
    }

    fn suffix(&self, origin: usize) -> Option<(usize, u16)> {
        let Origin { host, port, .. } = &self.origins[origin];
        let fits = |suffix: &str| suffix.starts_with('.') && host.ends_with(suffix);
        let place = self.config.canonical_suffixes.iter().position(|suffix| fits(suffix))?;
        self.is_secure(origin).then_some((place, *port))
    }

    fn canonical(&self, origin: usize) -> Option<usize> {
        let suffix = self.suffix(origin)?;
        self.speakers.iter().find(|(known, _)| *known == suffix).map(|(_, origin)| *origin)
    }

    fn shown(&self, now: Instant, origin: usize) -> Vec<Shown> {
        let Some(at) = self.at(origin) else { return vec![] };
        let file = &self.files[at];
        let here = file.network == self.network;
        let state = |which: &Alternative| {
            let tried = file.tried.iter().find(|tried| here && tried.which == *which);
            tried.map_or(State::Unknown, |tried| match tried.mark {
                Mark::Confirmed => State::Confirmed,
                Mark::Broken if now < tried.until => State::Broken(tried.until),
                Mark::Broken | Mark::Suspect => State::Suspect,
            })
        };
        let mut shown = vec![];
        for which in file.all() {
            let said = file.said.iter().find(|word| word.which == which);
            let dns = file.dns.iter().find(|(known, _)| *known == which);
            if let Some(word) = said.filter(|w| w.until > now && (here || w.persist)) {
                shown.push((which.clone(), state(&which), word.until, word.source, word.persist));
            } else if let Some((_, until)) = dns.filter(|(_, until)| *until > now && here) {
                shown.push((which.clone(), state(&which), *until, Source::Dns, false));
            }
        }
        shown
    }

    fn speaker(&self, now: Instant, origin: usize) -> Option<usize> {
        let own = self.at(origin).map(|_| origin);
        let offers = |origin: &usize| !self.shown(now, *origin).is_empty();
        own.filter(offers).or_else(|| self.canonical(origin).filter(offers)).or(own)
    }

    /// To the front, on this network.
    fn touch(&mut self, origin: usize) -> Option<&mut File> {
        let mut file = self.files.remove(self.at(origin)?)?;
        if file.network != self.network {
            file.network = self.network;
            file.said.retain(|word| word.persist);
            (file.rtt, file.dns, file.lost, file.tried) = (None, vec![], vec![], vec![]);
        }
        self.files.push_front(file);
        self.files.front_mut()
    }

    fn open(&mut self, origin: usize) -> &mut File {
        if self.at(origin).is_none() {
            if self.files.len() >= self.config.max_origins.max(1) as usize {
                let last = self.files.back().expect("there are some").origin;
                self.forget(last);
                self.evicted += 1;
            }
            let (said, dns, lost, tried) = (vec![], vec![], vec![], vec![]);
            let network = self.network;
            self.files.push_front(File { origin, network, rtt: None, said, dns, lost, tried });
        }
        self.touch(origin).expect("it is there")
    }

    fn forget(&mut self, origin: usize) {
        self.files.retain(|file| file.origin != origin);
        self.speakers.retain(|(_, speaker)| *speaker != origin);
    }

    pub(super) fn call(&mut self, now: Instant, call: &Call) -> Answer {
        let mut learnt = None;
        match call {
            Call::Learn { origin, said, source, age } => {
                learnt = Some(self.learn(now, *origin, said, *source, *age));
            }
            Call::Used(origin) => {
                self.speaker(now, *origin).and_then(|speaker| self.touch(speaker));
            }
            Call::Confirmed(origin, which) => self.mark(now, *origin, which, Mark::Confirmed),
            Call::Suspect(origin, which) => self.mark(now, *origin, which, Mark::Suspect),
            Call::Broken(origin, which) => self.mark(now, *origin, which, Mark::Broken),
            Call::Misdirected(origin, which) => {
                let Some(speaker) = self.speaker(now, *origin) else {
                    return self.answer(now, None);
                };
                let which = File::own(which, &self.origins[speaker]);
                for file in self.files.iter_mut().filter(|file| file.origin == speaker) {
                    file.said.retain(|word| word.which != which);
                    file.dns.retain(|(known, _)| *known != which);
                    file.lost.retain(|known| *known != which);
                    file.tried.retain(|tried| tried.which != which);
                }
            }
            Call::Rtt(origin, rtt) => {
                if self.is_secure(*origin) && *rtt > Duration::ZERO {
                    let micros = rtt.as_micros().clamp(1, u32::MAX.into()) as u64;
                    self.open(*origin).rtt = Some(Duration::from_micros(micros));
                }
            }
            Call::Forget(origin) => self.forget(*origin),
            Call::NetworkChanged => self.network += 1,
            Call::Reload => self.reload(now),
        }
        self.answer(now, learnt)
    }

    fn answer(&self, now: Instant, learnt: Option<Result<u32, NotLearnt>>) -> Answer {
        let all = 0..self.origins.len();
        let speaking = |origin| self.speaker(now, origin).map_or(vec![], |it| self.shown(now, it));
        let rtt = |origin| {
            let file = self.files.get(self.at(origin)?)?;
            file.rtt.filter(|_| file.network == self.network)
        };
        let far = |origin| rtt(origin).or_else(|| rtt(self.canonical(origin)?));
        Answer {
            learnt,
            known: all.clone().map(speaking).collect(),
            rtts: all.map(far).collect(),
            len: self.files.len(),
            evicted: self.evicted,
            refused: self.refused,
        }
    }

    fn learn(
        &mut self,
        now: Instant,
        origin: usize,
        said: &Said,
        source: Source,
        age: Duration,
    ) -> Result<u32, NotLearnt> {
        if !self.is_secure(origin) {
            return Err(NotLearnt::NotSecure);
        }
        let guess = matches!(source, Source::Hint | Source::Prepopulated);
        if guess && !self.shown(now, origin).is_empty() {
            return Err(NotLearnt::AlreadyKnown);
        }
        let offers = self.accepted(now, origin, said, age);
        if self.at(origin).is_none() && offers.is_empty() {
            return Ok(0);
        }
        let kept = offers.len() as u32;
        let most = self.most();
        let file = self.open(origin);
        let before = file.all();
        file.said.retain(|word| word.until > now);
        file.dns.retain(|(_, until)| *until > now);
        if source == Source::Dns {
            file.dns = offers.into_iter().map(|(which, until, _)| (which, until)).collect();
        } else {
            let word = |(which, until, persist)| Word { which, until, source, persist };
            file.said = offers.into_iter().map(word).collect();
        }
        file.lose(before, most);
        if let Some(suffix) = self.suffix(origin).filter(|_| kept > 0) {
            self.speakers.retain(|(known, _)| *known != suffix);
            self.speakers.push((suffix, origin));
        }
        Ok(kept)
    }

    fn accepted(
        &mut self,
        now: Instant,
        origin: usize,
        said: &Said,
        age: Duration,
    ) -> Vec<(Alternative, Instant, bool)> {
        let Said::Offers(offers) = said else { return vec![] };
        let mut kept: Vec<(Alternative, Instant, bool)> = vec![];
        let own = &self.origins[origin];
        for offer in offers {
            let mut which = offer.alternative.clone();
            if which.host.as_deref() == Some(&*own.host) {
                which.host = None;
            }
            let until = now + offer.max_age.saturating_sub(age);
            if until <= now || kept.iter().any(|(known, ..)| *known == which) {
                continue;
            }
            let mut hosts: Vec<Option<Box<str>>> = vec![None];
            for host in
                kept.iter().map(|(known, ..)| known.host.clone()).chain([which.host.clone()])
            {
                if !hosts.contains(&host) {
                    hosts.push(host);
                }
            }
            // The world's only private addresses.
            let private = |host: &str| host == "127.0.0.1" || host == "10.0.0.1";
            let hidden = which.host.as_deref().is_some_and(private) && !private(&own.host);
            let user = which.host.is_none() && own.port < 1_024 && which.port > 1_023;
            let no = kept.len() >= self.most()
                || which.host.is_some() && hosts.len() > self.config.max_hosts.max(1) as usize
                || self.config.refuse_private && hidden
                || self.config.refuse_user_ports && user;
            if no {
                self.refused += 1;
            } else {
                kept.push((which, until, offer.persist));
            }
        }
        kept
    }

    fn mark(&mut self, now: Instant, origin: usize, which: &Alternative, mark: Mark) {
        let speaker = self.speaker(now, origin);
        if !self.is_secure(origin) || mark == Mark::Confirmed && speaker.is_none() {
            return;
        }
        let (most, back_off) = (self.most(), self.config.back_off);
        let speaker = speaker.unwrap_or(origin);
        let which = &File::own(which, &self.origins[speaker]);
        let file = self.open(speaker);
        let known = file.knows(which);
        if mark == Mark::Confirmed {
            if known {
                file.tried.retain(|tried| tried.which != *which);
                let (failures, until) = (0, Instant::EPOCH);
                file.tried.push(Tried { which: which.clone(), mark, failures, until });
            }
            return;
        }
        if !file.tried.iter().any(|tried| tried.which == *which) {
            let (failures, until) = (0, Instant::EPOCH);
            file.tried.push(Tried { which: which.clone(), mark, failures, until });
        }
        let tried = file.tried.iter_mut().find(|tried| tried.which == *which).expect("pushed");
        tried.mark = mark;
        if mark == Mark::Broken && now >= tried.until {
            let doubled = (0..tried.failures)
                .fold(back_off.first, |wait, _| wait.saturating_mul(2).min(back_off.longest));
            tried.until = now + doubled.min(back_off.longest);
            tried.failures = (tried.failures + 1).min(255);
        }
        if !known {
            let mut before = vec![which.clone()];
            before.extend(file.lost.iter().cloned());
            file.lose(before, most);
        }
    }

    /// What a file keeps: whole seconds, and nothing of another network but what persists.
    fn reload(&mut self, now: Instant) {
        let floor = |until: Instant| match until {
            Instant::MAX => until,
            until => now + Duration::from_secs(until.saturating_since(now).as_secs()),
        };
        self.speakers.clear();
        let mut files = VecDeque::new();
        while let Some(mut file) = self.files.pop_front() {
            let here = file.network == self.network;
            file.said.iter_mut().for_each(|word| word.until = floor(word.until));
            file.dns.iter_mut().for_each(|(_, until)| *until = floor(*until));
            let before = file.all();
            file.said.retain(|word| word.until > now && (here || word.persist));
            file.dns.retain(|(_, until)| here && *until > now);
            if !here {
                (file.rtt, file.tried) = (None, vec![]);
            }
            for tried in &mut file.tried {
                tried.until = floor(tried.until);
                if tried.until <= now {
                    tried.until = Instant::EPOCH;
                }
            }
            file.lose(before, usize::MAX);
            file.lost.truncate(self.most());
            let known = file.all();
            file.tried.retain(|tried| known.contains(&tried.which));
            file.network = 0;
            let offers = !file.said.is_empty() || !file.dns.is_empty();
            if offers || !file.tried.is_empty() || file.rtt.is_some() {
                let suffix = self.suffix(file.origin).filter(|_| offers);
                if let Some(suffix) = suffix
                    && !self.speakers.iter().any(|(known, _)| *known == suffix)
                {
                    self.speakers.push((suffix, file.origin));
                }
                files.push_back(file);
            }
        }
        (self.files, self.network, self.evicted, self.refused) = (files, 0, 0, 0);
    }
}
