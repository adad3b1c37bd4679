//! Members of a classic group, each on a connection of its own, all on one thread: what they do
//! costs little next to the coordinator that serves them.

use std::io::{Error, Result};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::group_wire as wire;
use crate::member::{Asked, Member};
use crate::poll::Poll;

/// How often a member with an assignment asks whether the group goes on while others have none.
const BEAT: Duration = Duration::from_millis(5);
const DEADLINE: Duration = Duration::from_secs(60);
/// So many at once, so that no listener's queue overflows: the kernel would wait a second then.
const CONNECT_BURST: usize = 25;

const REBALANCE_IN_PROGRESS: i16 = 27;
const MEMBER_ID_REQUIRED: i16 = 79;
/// The group's partition is being loaded, or was only just made.
const NOT_READY: [i16; 3] = [14, 15, 16];
const RETRY: Duration = Duration::from_millis(20);

/// When, in seconds from a newcomer's first request.
struct Times {
    leader_joined: f64,
    first_assigned: f64,
    assigned: f64,
}

struct Group<'a> {
    name: &'a str,
    topic: &'a str,
    members: Vec<Member>,
    poll: Poll,
    began: Instant,
    leader_joined: Instant,
    first_assigned: Option<Instant>,
    /// The generation that everybody had an assignment of when this rebalance began.
    before: i32,
    /// The newcomer has yet to get its id; the others join once it has.
    is_newcomer_unnamed: bool,
    buffer: Vec<u8>,
}

/// `words`: address, group, topic, members, rounds. Prints one JSON object.
pub fn run(words: &[&str]) -> Result<()> {
    let [address, name, topic, count, rounds] = words else {
        return Err(Error::other("takes ADDRESS GROUP TOPIC MEMBERS ROUNDS"));
    };
    let count: usize = count.parse().map_err(Error::other)?;
    let rounds: usize = rounds.parse().map_err(Error::other)?;
    if count == 0 || rounds == 0 {
        return Err(Error::other("counts begin at 1"));
    }
    let address = address
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| Error::other("no address"))?;
    let now = Instant::now();
    let mut group = Group {
        name,
        topic,
        members: Vec::with_capacity(count + 1),
        poll: Poll::new()?,
        began: now,
        leader_joined: now,
        first_assigned: None,
        before: 0,
        is_newcomer_unnamed: false,
        buffer: vec![0; 256 * 1024],
    };
    for index in 0..count {
        if index % CONNECT_BURST == CONNECT_BURST - 1 {
            std::thread::sleep(Duration::from_millis(4));
        }
        group.connect(address)?;
    }
    group.rebalance()?;
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        group.connect(address)?;
        group.is_newcomer_unnamed = true;
        times.push(group.rebalance()?);
        group.dismiss_last()?;
        group.rebalance()?;
    }
    println!("{}", to_json(&times));
    Ok(())
}

fn to_json(times: &[Times]) -> String {
    let list = |of: fn(&Times) -> f64| {
        let texts: Vec<String> = times
            .iter()
            .map(|t| format!("{:.3}", of(t) * 1e3))
            .collect();
        texts.join(",")
    };
    format!(
        "{{\"assignedMs\":[{}],\"firstAssignedMs\":[{}],\"leaderJoinedMs\":[{}],\"rebalances\":{}}}",
        list(|t| t.assigned),
        list(|t| t.first_assigned),
        list(|t| t.leader_joined),
        1 + 2 * times.len()
    )
}

impl Group<'_> {
    fn connect(&mut self, address: SocketAddr) -> Result<()> {
        let member = Member::connect(address)?;
        self.poll.add(member.fd(), self.members.len())?;
        self.members.push(member);
        Ok(())
    }

    /// From the newcomer's first request, where there is one, until all have an assignment of one
    /// and the same new generation.
    fn rebalance(&mut self) -> Result<Times> {
        self.before = self.members[0].assigned;
        self.began = Instant::now();
        self.first_assigned = None;
        if self.is_newcomer_unnamed {
            self.join(self.members.len() - 1)?;
        } else {
            self.join_all()?;
        }
        let mut beat_at = self.began + BEAT;
        while !self.is_settled() {
            let now = Instant::now();
            if now > self.began + DEADLINE {
                return Err(Error::other("the group did not settle within a minute"));
            }
            if now >= beat_at {
                self.beat_idle()?;
                beat_at = now + BEAT;
            }
            self.step(beat_at.saturating_duration_since(now))?;
        }
        let assigned = self.began.elapsed().as_secs_f64();
        // Heartbeats that are still under way would be answered into the next rebalance.
        self.drain()?;
        let since = |then: Instant| then.duration_since(self.began).as_secs_f64();
        Ok(Times {
            leader_joined: since(self.leader_joined),
            first_assigned: self.first_assigned.map_or(assigned, since),
            assigned,
        })
    }

    fn is_settled(&self) -> bool {
        let generation = self.members[0].assigned;
        generation > self.before && self.members.iter().all(|m| m.assigned == generation)
    }

    fn drain(&mut self) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        while self.members.iter().any(|m| m.asked != Asked::Nothing) {
            if Instant::now() > end {
                return Err(Error::other("an answer did not come within a minute"));
            }
            self.step(BEAT)?;
        }
        Ok(())
    }

    fn dismiss_last(&mut self) -> Result<()> {
        let last = self.members.len() - 1;
        let frame = wire::leave(self.name, &self.members[last].id);
        self.members[last].ask(Asked::Leave, &frame)?;
        self.drain()?;
        self.members.pop();
        Ok(())
    }

    fn join_all(&mut self) -> Result<()> {
        for index in 0..self.members.len() {
            if self.members[index].asked == Asked::Nothing {
                self.join(index)?;
            }
        }
        Ok(())
    }

    fn join(&mut self, index: usize) -> Result<()> {
        let subscription = wire::subscription(self.topic);
        let frame = wire::join(self.name, &self.members[index].id, &subscription);
        self.members[index].ask(Asked::Join, &frame)
    }

    fn beat(&mut self, index: usize) -> Result<()> {
        let member = &self.members[index];
        let frame = wire::heartbeat(self.name, member.generation, &member.id);
        self.members[index].ask(Asked::Heartbeat, &frame)
    }

    fn beat_idle(&mut self) -> Result<()> {
        for index in 0..self.members.len() {
            let member = &self.members[index];
            if member.asked == Asked::Nothing && !member.id.is_empty() && !self.is_newcomer_unnamed
            {
                self.beat(index)?;
            }
        }
        Ok(())
    }

    /// Waits until something comes, `timeout` at most, and answers it.
    fn step(&mut self, timeout: Duration) -> Result<()> {
        let ready: Vec<usize> = self.poll.wait(timeout)?.collect();
        for index in ready {
            if index < self.members.len() {
                let frame = self.members[index].receive(&mut self.buffer)?;
                if let Some(frame) = frame {
                    self.answered(index, &frame[4..])?;
                }
            }
        }
        Ok(())
    }

    fn answered(&mut self, index: usize, frame: &[u8]) -> Result<()> {
        let malformed = |_| Error::other("an answer does not parse");
        let asked = std::mem::replace(&mut self.members[index].asked, Asked::Nothing);
        match asked {
            Asked::Nothing => Err(Error::other("an answer that nobody asked for")),
            Asked::Leave => match wire::read_code(frame).map_err(malformed)? {
                0 => Ok(()),
                code => Err(refused("leave", code)),
            },
            Asked::Join => self.joined(index, wire::read_join(frame).map_err(malformed)?),
            Asked::Sync => match wire::read_sync(frame).map_err(malformed)? {
                (0, 0) => Err(Error::other("a member was assigned nothing")),
                (0, _) => self.synced(index),
                (REBALANCE_IN_PROGRESS, _) => self.join(index),
                (code, _) => Err(refused("sync", code)),
            },
            Asked::Heartbeat => match wire::read_code(frame).map_err(malformed)? {
                0 if self.members[index].assigned == self.before => self.beat(index),
                0 => Ok(()),
                REBALANCE_IN_PROGRESS => self.join(index),
                code => Err(refused("heartbeat", code)),
            },
        }
    }

    fn joined(&mut self, index: usize, joined: wire::Joined) -> Result<()> {
        match joined.error_code {
            0 => self.members[index].id = joined.member,
            MEMBER_ID_REQUIRED => {
                self.members[index].id = joined.member;
                self.join(index)?;
                if self.is_newcomer_unnamed {
                    self.is_newcomer_unnamed = false;
                    self.join_all()?;
                }
                return Ok(());
            }
            // Only while the group is founded, which nobody measures.
            code if self.before == 0 && NOT_READY.contains(&code) => {
                std::thread::sleep(RETRY);
                return self.join(index);
            }
            code => return Err(refused("join", code)),
        }
        self.members[index].generation = joined.generation;
        let assigned: Vec<(String, Vec<u8>)> = joined
            .members
            .into_iter()
            .zip(0..)
            .map(|(id, partition)| (id, wire::assignment(self.topic, partition)))
            .collect();
        if !assigned.is_empty() {
            self.leader_joined = Instant::now();
        }
        let frame = wire::sync(
            self.name,
            joined.generation,
            &self.members[index].id,
            &assigned,
        );
        self.members[index].ask(Asked::Sync, &frame)
    }

    fn synced(&mut self, index: usize) -> Result<()> {
        let member = &mut self.members[index];
        member.assigned = member.generation;
        if member.assigned > self.before {
            self.first_assigned.get_or_insert_with(Instant::now);
            return Ok(());
        }
        // Its join came before the newcomer's, and it was told again what it had.
        self.beat(index)
    }
}

fn refused(what: &str, code: i16) -> Error {
    Error::other(format!("a {what} was refused with error {code}"))
}
