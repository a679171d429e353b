//! The list of rules: the part of TOML that it needs, which is tables of strings on one line.

/// Who must keep a rule.
const PARTIES: [&str; 4] = ["client", "server", "both", "later"];

/// All rules, in the list's order.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) groups: Vec<Group>,
}

/// Rules of one subject.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) title: String,
    /// A sentence or two below the title.
    pub(super) says: String,
    pub(super) rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Default)]
pub(super) struct Rule {
    pub(super) id: String,
    /// Where it stands: RFC and section, CVE, or what the number is ours by.
    pub(super) source: String,
    /// `client`, `server`, `both`, or `later`: not for what exists yet.
    pub(super) who: String,
    /// What must hold, in one sentence.
    pub(super) says: String,
    /// Where it comes later: why not now. Else, where we differ: how.
    pub(super) why: String,
}

impl Rule {
    pub(super) fn applies(&self) -> bool {
        self.who != "later"
    }
}

impl Rules {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.groups.iter().flat_map(|group| &group.rules)
    }

    pub(super) fn get(&self, id: &str) -> Option<&Rule> {
        self.iter().find(|rule| rule.id == id)
    }

    /// Reads the list; an error begins with its line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Self::default();
        for (at, line) in text.lines().enumerate() {
            let fault = |says: &str| format!("{}: {says}", at + 1);
            match line.trim() {
                "" => {}
                line if line.starts_with('#') => {}
                "[[group]]" => rules.groups.push(Group::default()),
                "[[rule]]" => {
                    let group = rules.groups.last_mut().ok_or_else(|| fault("no group yet"))?;
                    group.rules.push(Rule::default());
                }
                line => {
                    let (key, value) =
                        pair(line).ok_or_else(|| fault("neither a table nor `key = \"value\"`"))?;
                    let place = rules
                        .place(key)
                        .ok_or_else(|| fault(&format!("`{key}` has no meaning here")))?;
                    if !place.is_empty() {
                        return Err(fault(&format!("`{key}` is said twice")));
                    }
                    value.clone_into(place);
                }
            }
        }
        rules.checked()
    }

    /// Where a key of the last table goes.
    fn place(&mut self, key: &str) -> Option<&mut String> {
        let group = self.groups.last_mut()?;
        match (group.rules.last_mut(), key) {
            (None, "title") => Some(&mut group.title),
            (None, "says") => Some(&mut group.says),
            (Some(rule), "id") => Some(&mut rule.id),
            (Some(rule), "source") => Some(&mut rule.source),
            (Some(rule), "who") => Some(&mut rule.who),
            (Some(rule), "says") => Some(&mut rule.says),
            (Some(rule), "why") => Some(&mut rule.why),
            _ => None,
        }
    }

    fn checked(self) -> Result<Self, String> {
        let mut seen: Vec<&str> = Vec::new();
        for rule in self.iter() {
            let Rule { id, source, who, says, why } = rule;
            let fault = |what: &str| Err(format!(" rule `{id}` {what}"));
            if id.is_empty() || source.is_empty() || says.is_empty() {
                return fault("needs id, source, who and says");
            }
            if !PARTIES.contains(&who.as_str()) {
                return fault("is for client, server, both or later");
            }
            if !rule.applies() && why.is_empty() {
                return fault("comes later and does not say why");
            }
            if seen.contains(&id.as_str()) {
                return fault("stands there twice");
            }
            seen.push(id);
        }
        Ok(self)
    }
}

/// `key = "value"`, without escapes.
fn pair(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(" = ")?;
    let value = value.strip_prefix('"')?.strip_suffix('"')?;
    (!value.contains(['"', '\\'])).then_some((key, value))
}
