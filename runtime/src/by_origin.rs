//! Settings that belong to one origin of one profile, because they keep what it resumes by.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use regatta_core::id::ProfileId;
use regatta_core::types::Origin;

/// Most origins that can be resumed to.
const MOST: usize = 1_024;

/// Settings of TLS or QUIC by profile and origin.
#[derive(Debug)]
pub(crate) struct ByOrigin<C> {
    known: Mutex<Known<C>>,
}

#[derive(Debug)]
struct Known<C> {
    /// With the number of the question that was answered by them last.
    kept: BTreeMap<(ProfileId, Origin), (u64, C)>,
    questions: u64,
}

impl<C: Clone> ByOrigin<C> {
    /// Those of one origin, made where it has none; those that were not asked for the longest time
    /// make room.
    pub(crate) fn of<E>(
        &self,
        profile: ProfileId,
        origin: &Origin,
        make: impl FnOnce() -> Result<C, E>,
    ) -> Result<C, E> {
        let key = (profile, origin.clone());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { kept, questions } = &mut *known;
        *questions += 1;
        if let Some((asked, config)) = kept.get_mut(&key) {
            *asked = *questions;
            return Ok(config.clone());
        }
        let config = make()?;
        if kept.len() >= MOST {
            // A walk along all of them takes a small part of the handshake that follows.
            let oldest = kept.iter().min_by_key(|(_, (asked, _))| *asked);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                kept.remove(&oldest);
            }
        }
        kept.insert(key, (*questions, config.clone()));
        Ok(config)
    }
}

impl<C> Default for ByOrigin<C> {
    fn default() -> Self {
        Self { known: Mutex::new(Known { kept: BTreeMap::new(), questions: 0 }) }
    }
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use regatta_core::types::Scheme;

    use super::*;

    fn origin(host: usize) -> Origin {
        Origin { scheme: Scheme::Https, host: format!("{host:05}.test").into(), port: 443 }
    }

    #[test]
    fn each_origin_of_a_profile_has_its_own_and_not_too_many_are_kept() {
        let kept = ByOrigin::default();
        let mut made = 0;
        let mut ask = |profile, host| {
            kept.of(ProfileId(profile), &origin(host), || {
                made += 1;
                Ok::<_, Infallible>(made)
            })
        };
        assert_eq!([ask(0, 1), ask(1, 1), ask(0, 2), ask(0, 1)], [Ok(1), Ok(2), Ok(3), Ok(1)]);
        for host in 3..=MOST {
            ask(0, host).unwrap();
        }
        assert_eq!(ask(0, 1), Ok(1), "it was asked for again");
        assert_eq!(ask(0, 2), Ok(3));
        assert_eq!(ask(1, 1), Ok(MOST as i32 + 2), "it has made room");
        assert_eq!(kept.known.lock().unwrap().kept.len(), MOST);
    }

    #[test]
    fn what_cannot_be_made_is_not_kept() {
        let kept = ByOrigin::<u32>::default();
        assert_eq!(kept.of(ProfileId(0), &origin(1), || Err("no roots")), Err("no roots"));
        assert_eq!(kept.of(ProfileId(0), &origin(1), || Ok::<_, Infallible>(1)), Ok(1));
    }
}
