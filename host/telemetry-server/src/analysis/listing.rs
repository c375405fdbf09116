//! Parameters of plain listings, read into what the store is asked.

use telemetry_model::Timestamp;
use telemetry_model::query::Window;
use telemetry_store::{
    AgentOrder, AgentQuery, AlertQuery, EventCursor, EventQuery, QuarantineQuery, SessionOrder, SessionQuery, SessionState,
};

use super::filters::read_attribute_filters;
use super::params::{InvalidParams, Params, excerpt};
use super::window::{DAY, DefaultWindow, read_window};

/// A page as asked: numbers from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Which.
    pub page: u64,
    /// How many items a page has.
    pub page_size: u64,
}

impl Page {
    fn read(params: &mut Params<'_>) -> Self {
        let page = params.integer("page", 1, 1..=u64::from(u32::MAX));
        let page_size = params.integer("page_size", 50, 1..=1000);
        Page { page, page_size }
    }

    /// Most items.
    pub fn limit(self) -> u32 {
        u32::try_from(self.page_size).unwrap_or(u32::MAX)
    }

    /// Items before.
    pub fn offset(self) -> u64 {
        (self.page - 1).saturating_mul(self.page_size)
    }
}

/// Reads the parameters of `GET /v1/telemetry/events`.
///
/// # Errors
/// All problems at once.
pub fn events(pairs: &[(String, String)], now: Timestamp) -> Result<EventQuery, InvalidParams> {
    let mut params = Params::new(pairs);
    let text = |text: Option<&str>| text.map(str::to_owned);
    let (v1_name, name) = (params.one("event_name"), params.one("name"));
    let query = EventQuery {
        agent_id: text(params.one("agent_id")),
        name: text(v1_name.or(name)),
        event_type: text(params.one("event_type")),
        level: params.one("level").map(str::to_uppercase),
        trace_id: text(params.one("trace_id")),
        session_id: text(params.one("session_id")),
        window: read_window(&mut params, now, DefaultWindow::Everything),
        after: read_cursor(&mut params),
        ascending: params.choice("order", &["desc", "asc"], "desc") == "asc",
        limit: params.integer("limit", 100, 1..=1000) as u32,
        offset: params.integer("offset", 0, 0..=u64::MAX),
        filters: read_attribute_filters(&mut params),
    };
    params.finish()?;
    Ok(query)
}

/// Reads the parameters of `GET /v1/quarantine`.
///
/// # Errors
/// All problems at once.
pub fn quarantine(pairs: &[(String, String)], now: Timestamp) -> Result<(Page, QuarantineQuery), InvalidParams> {
    let mut params = Params::new(pairs);
    let page = Page::read(&mut params);
    let Window { from, to } = read_window(&mut params, now, DefaultWindow::Everything);
    let query = QuarantineQuery {
        reason: params.one("reason").map(str::to_owned),
        agent_id: params.one("agent_id").map(str::to_owned),
        from,
        to,
        limit: page.limit(),
        offset: page.offset(),
    };
    params.finish()?;
    Ok((page, query))
}

/// Reads the parameters of the events of one trace or session, in order of time.
///
/// # Errors
/// All problems at once.
pub fn events_of(pairs: &[(String, String)], trace_id: Option<String>, session_id: Option<String>) -> Result<EventQuery, InvalidParams> {
    let mut params = Params::new(pairs);
    let query = EventQuery {
        trace_id,
        session_id,
        after: read_cursor(&mut params),
        ascending: params.choice("order", &["asc", "desc"], "asc") == "asc",
        limit: params.integer("limit", 10_000, 1..=10_000) as u32,
        offset: params.integer("offset", 0, 0..=u64::MAX),
        ..EventQuery::default()
    };
    params.finish()?;
    Ok(query)
}

/// Where the next page begins, as text: the last event's time in nanoseconds, a hyphen, its number.
pub fn cursor_text(cursor: EventCursor) -> String {
    format!("{}-{}", cursor.timestamp.0, cursor.id)
}

fn read_cursor(params: &mut Params<'_>) -> Option<EventCursor> {
    let text = params.one("cursor")?;
    let parts = text.rsplit_once('-').and_then(|(time, id)| Some((time.parse::<i64>().ok()?, id.parse::<i64>().ok()?)));
    match parts {
        Some((time, id)) => Some(EventCursor { timestamp: Timestamp(time), id }),
        None => {
            params.problem("cursor", format!("`{}` did not come with a page", excerpt(text)));
            None
        }
    }
}

/// Reads the parameters of `GET /v1/agents`; `None` when nothing can match. An agent is inactive whose last event is before
/// `inactive_before`.
///
/// # Errors
/// All problems at once.
pub fn agents(pairs: &[(String, String)], now: Timestamp, inactive_before: Timestamp) -> Result<(Page, Option<AgentQuery>), InvalidParams> {
    let mut params = Params::new(pairs);
    let page = Page::read(&mut params);
    let status = params.choice("status", &["", "active", "inactive", "paused"], "");
    let kind = params.choice("agent_type", &["", "assistant", "chatbot", "autonomous", "function", "other"], "");
    let order = match params.choice("sort_by", &["created_at", "updated_at", "name", "agent_id"], "created_at") {
        "updated_at" => AgentOrder::LastSeen,
        "name" | "agent_id" => AgentOrder::Id,
        _ => AgentOrder::FirstSeen,
    };
    let query = AgentQuery {
        window: read_window(&mut params, now, DefaultWindow::Everything),
        first_seen_from: params.time("created_after"),
        last_seen_from: (status == "active").then_some(inactive_before),
        last_seen_to: (status == "inactive").then_some(inactive_before),
        order,
        ascending: params.choice("sort_dir", &["desc", "asc"], "desc") == "asc",
        limit: page.limit(),
        offset: page.offset(),
    };
    params.finish()?;
    // No agent says of what type it is, and none is ever paused.
    let possible = status != "paused" && matches!(kind, "" | "other");
    Ok((page, possible.then_some(query)))
}

/// Reads the parameters of `GET /v1/sessions`. A session is completed whose last event is before `silent_since`.
///
/// # Errors
/// All problems at once.
pub fn sessions(pairs: &[(String, String)], now: Timestamp, silent_since: Timestamp) -> Result<(Page, SessionQuery), InvalidParams> {
    let mut params = Params::new(pairs);
    let page = Page::read(&mut params);
    let seconds = |params: &mut Params<'_>, name| {
        let given = params.one(name).is_some();
        let seconds = params.integer(name, 0, 0..=9_000_000_000);
        given.then(|| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000))
    };
    let query = SessionQuery {
        agent_id: params.one("agent_id").map(str::to_owned),
        window: read_window(&mut params, now, DefaultWindow::Everything),
        state: match params.choice("status", &["", "active", "completed"], "") {
            "active" => Some(SessionState::Active),
            "completed" => Some(SessionState::Completed),
            _ => None,
        },
        silent_since,
        min_duration: seconds(&mut params, "min_duration"),
        // Durations are answered in whole seconds: what reads as 5 is at most 5.
        max_duration: seconds(&mut params, "max_duration").map(|seconds| seconds.saturating_add(999_999_999)),
        order: match params.choice("sort_by", &["start_time", "end_time", "duration_seconds", "event_count"], "start_time") {
            "end_time" => SessionOrder::End,
            "duration_seconds" => SessionOrder::Duration,
            "event_count" => SessionOrder::Events,
            _ => SessionOrder::Start,
        },
        ascending: params.choice("sort_dir", &["desc", "asc"], "desc") == "asc",
        limit: page.limit(),
        offset: page.offset(),
    };
    params.finish()?;
    Ok((page, query))
}

/// Reads the parameters of `GET /v1/alerts`; 7 days without any of the window's.
///
/// # Errors
/// All problems at once.
pub fn alerts(pairs: &[(String, String)], now: Timestamp) -> Result<(Page, AlertQuery), InvalidParams> {
    let mut params = Params::new(pairs);
    let page = Page::read(&mut params);
    let text = |text: Option<&str>| text.map(str::to_owned);
    let texts = |params: &mut Params<'_>, name| params.many(name).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let (search, pattern) = (params.one("search"), params.one("pattern"));
    let query = AlertQuery {
        window: read_window(&mut params, now, DefaultWindow::Last(7 * DAY)),
        agent_id: text(params.one("agent_id")),
        trace_id: text(params.one("trace_id")),
        span_id: text(params.one("span_id")),
        severity: texts(&mut params, "severity"),
        category: texts(&mut params, "category"),
        category_exclude: texts(&mut params, "category_exclude"),
        alert_level: texts(&mut params, "alert_level"),
        llm_vendor: texts(&mut params, "llm_vendor"),
        search: text(search.or(pattern)),
        limit: page.limit(),
        offset: page.offset(),
    };
    params.finish()?;
    Ok((page, query))
}

/// Reads the parameters of a route that has only a window; all that is stored without any.
///
/// # Errors
/// All problems at once.
pub fn window(pairs: &[(String, String)], now: Timestamp) -> Result<Window, InvalidParams> {
    let mut params = Params::new(pairs);
    let window = read_window(&mut params, now, DefaultWindow::Everything);
    params.finish()?;
    Ok(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn cursors_come_back_as_they_went() {
        for cursor in [EventCursor { timestamp: Timestamp(-5), id: 3 }, EventCursor { timestamp: Timestamp(7), id: 1 }] {
            let text = cursor_text(cursor);
            assert_eq!(events(&pairs(&[("cursor", &text)]), Timestamp(0)).unwrap().after, Some(cursor));
        }
        assert!(events(&pairs(&[("cursor", "x")]), Timestamp(0)).is_err());
    }

    #[test]
    fn limits_have_ends() {
        assert_eq!(events(&pairs(&[("limit", "1000")]), Timestamp(0)).unwrap().limit, 1000);
        for (name, value) in [("limit", "0"), ("limit", "1001"), ("limit", "x"), ("offset", "-1"), ("page", "1"), ("order", "up")] {
            assert!(events(&pairs(&[(name, value)]), Timestamp(0)).is_err(), "{name}={value}");
        }
        for (name, value) in [("page", "0"), ("page", "-1"), ("page_size", "0"), ("page_size", "1001"), ("sort_by", "shoe_size")] {
            assert!(agents(&pairs(&[(name, value)]), Timestamp(0), Timestamp(0)).is_err(), "{name}={value}");
        }
    }
}
