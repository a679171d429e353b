//! Every page of docs/ can be reached by links from the pages at the root, and every relative
//! link leads somewhere.

use std::collections::BTreeSet;

use super::modules::normal;
use super::{File, Tree, Violation};

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let pages = || tree.files.iter().filter(|file| file.path.ends_with(".md"));
    let mut found = Vec::new();
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut todo: Vec<&File> = pages().filter(|page| !page.path.contains('/')).collect();
    while let Some(page) = todo.pop() {
        for (line, target) in links(page) {
            if !leads_somewhere(tree, &target) {
                found.push(page.violation(line, format!("the link to `{target}` leads nowhere")));
            }
            if reached.insert(target.clone()) {
                todo.extend(tree.get(&target).filter(|file| file.path.ends_with(".md")));
            }
        }
    }
    let unreached = pages().filter(|page| page.path.starts_with("docs/"));
    let unreached = unreached.filter(|page| !reached.contains(&page.path));
    found.extend(unreached.map(|page| page.violation(0, "no page links to this page")));
    found
}

fn leads_somewhere(tree: &Tree, target: &str) -> bool {
    let folder = format!("{target}/");
    tree.files.iter().any(|file| file.path == target || file.path.starts_with(&folder))
}

/// Relative links of a page, resolved from the workspace's root, with their lines.
fn links(page: &File) -> Vec<(usize, String)> {
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = Vec::new();
    let mut fenced = false;
    for (line, text) in page.lines() {
        if text.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains(':') {
                found.push((line, normal(&format!("{folder}/{target}"))));
            }
        }
    }
    found
}
