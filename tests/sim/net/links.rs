//! Connections between leaders and learners: packets arrive in order, late or not at all.

use super::super::plan::{MS, Time, index_of};
use super::super::queue::{Event, Life};
use super::super::server::Image;
use super::super::world::World;
use super::packets as packet;
use jute::quorum::QuorumPacket;
use std::collections::{BTreeMap, VecDeque};
use zabra::replica::Input;
use zabra::types::{LinkId, ServerId};
use zabra::zab;

/// Which end of a link: 0 dialed, 1 was dialed.
pub(crate) type Side = usize;

/// What travels.
#[derive(Clone, Debug)]
enum Item {
    Packet(QuorumPacket),
    Image(Image),
    /// The other end has closed, or the connection is broken.
    End,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    ends: [End; 2],
    /// Nothing arrives any more, and nobody is told.
    is_silent: bool,
}

#[derive(Debug)]
struct End {
    server: usize,
    life: u64,
    id: LinkId,
    /// Whether it is of no interest any more to its server.
    is_closed: bool,
    /// What is on its way to it.
    coming: VecDeque<Item>,
    last_arrival: Time,
    /// What has arrived behind a SNAP packet, while the image is not stored.
    arrived: VecDeque<Item>,
    awaits_image: bool,
}

impl End {
    const fn new(server: usize, life: u64, id: LinkId) -> Self {
        Self {
            server,
            life,
            id,
            is_closed: false,
            coming: VecDeque::new(),
            last_arrival: 0,
            arrived: VecDeque::new(),
            awaits_image: false,
        }
    }
}

impl World {
    pub(crate) fn dial(&mut self, server: usize, target: ServerId, to_master: bool) {
        let who = self.servers[server].life();
        let to = index_of(target);
        let Some(running) = &mut self.servers[server].running else { return };
        let attempt = running.next_attempt;
        running.next_attempt += 1;
        running.dialing = Some((target, attempt));
        let mut wait = self.journey(server, to) * 2;
        if !self.net.is_open(server, to) {
            wait += self.plan.tick_ms * MS;
        }
        self.after(wait, Event::Dialed { who, target, attempt, to_master });
    }

    pub(crate) fn dialed(&mut self, who: Life, target: ServerId, attempt: u64, to_master: bool) {
        let server = who.server;
        let Some(running) = &mut self.servers[server].running else { return };
        if running.dialing != Some((target, attempt)) {
            return;
        }
        running.dialing = None;
        let to = index_of(target);
        let is_open = self.net.is_open(server, to) && self.servers[to].is_up();
        if !is_open || self.random.one_in(30) {
            self.coverage.note("dial failure");
            self.input(server, Input::Quorum(zab::Input::DialFailed(target)));
            return;
        }
        let link = self.net.next_link;
        self.net.next_link += 1;
        let ends = [self.new_end(server, link), self.new_end(to, link)];
        let (near, far) = (ends[0].id, ends[1].id);
        self.net.links.insert(link, Link { ends, is_silent: false });
        let accepted =
            if to_master { zab::Input::AcceptedObserver(far) } else { zab::Input::Accepted(far) };
        self.input(to, Input::Quorum(accepted));
        self.input(server, Input::Quorum(zab::Input::Dialed(near)));
    }

    fn new_end(&mut self, server: usize, link: usize) -> End {
        let life = self.servers[server].life;
        let running = self.servers[server].running.as_mut().expect("both ends live");
        let id = LinkId(running.next_link);
        running.next_link += 1;
        running.links.insert(id, link);
        End::new(server, life, id)
    }

    /// The number and the side of a server's link, if it still has it.
    fn find_link(&self, server: usize, id: LinkId) -> Option<(usize, Side)> {
        let running = self.servers[server].running.as_ref()?;
        let number = *running.links.get(&id)?;
        let link = self.net.links.get(&number)?;
        let is_own = |end: &End| end.server == server && end.id == id;
        let side = link.ends.iter().position(is_own)?;
        (!link.ends[side].is_closed).then_some((number, side))
    }

    pub(crate) fn has_link(&self, server: usize, id: LinkId) -> bool {
        self.find_link(server, id).is_some()
    }

    pub(crate) fn send(&mut self, server: usize, id: LinkId, packet: QuorumPacket) {
        let Some((number, side)) = self.find_link(server, id) else { return };
        self.push_item(number, 1 - side, Item::Packet(packet));
    }

    pub(crate) fn send_image(&mut self, server: usize, id: LinkId, image: Image) {
        if let Some((number, side)) = self.find_link(server, id) {
            self.push_item(number, 1 - side, Item::Image(image));
        }
    }

    fn push_item(&mut self, number: usize, to: Side, item: Item) {
        let link = &self.net.links[&number];
        let (from_server, to_server) = (link.ends[1 - to].server, link.ends[to].server);
        let mut journey = self.journey(from_server, to_server);
        if matches!(item, Item::Image(_)) {
            journey *= 5;
        }
        let earliest = self.now + journey;
        let link = self.net.links.get_mut(&number).expect("it is there");
        let end = &mut link.ends[to];
        end.coming.push_back(item);
        end.last_arrival = end.last_arrival.max(earliest);
        let at = end.last_arrival;
        self.queue.push(at, Event::Arrive { link: number, to });
    }

    /// The next thing on a link arrives, if it can.
    pub(crate) fn arrive(&mut self, number: usize, to: Side) {
        let Some(link) = self.net.links.get_mut(&number) else { return };
        let (from, server) = (link.ends[1 - to].server, link.ends[to].server);
        if link.is_silent || self.net.blocked[from][server] {
            return;
        }
        let end = &mut link.ends[to];
        let Some(item) = end.coming.pop_front() else { return };
        let lives = self.servers[server].life == end.life && self.servers[server].is_up();
        if end.is_closed || !lives {
            // Whoever sends to what is closed hears of it.
            if !link.ends[1 - to].is_closed && !matches!(item, Item::End) {
                self.push_end(number, 1 - to);
            }
            return;
        }
        let end = &mut link.ends[to];
        end.arrived.push_back(item);
        self.take_arrived(number, to);
    }

    /// Hands over what has arrived, up to a SNAP packet: what follows that is no packet.
    fn take_arrived(&mut self, number: usize, to: Side) {
        loop {
            let Some(link) = self.net.links.get_mut(&number) else { return };
            let end = &mut link.ends[to];
            let (server, id) = (end.server, end.id);
            if end.is_closed {
                return;
            }
            if end.awaits_image && !matches!(end.arrived.front(), Some(Item::End)) {
                self.take_image(server, id);
                return;
            }
            match end.arrived.pop_front() {
                Some(Item::Packet(packet)) => {
                    end.awaits_image = packet.kind == packet::SNAP;
                    self.input(server, Input::Quorum(zab::Input::Packet(id, packet)));
                }
                Some(Item::Image(_)) => panic!("[snapshots] an image comes behind its packet"),
                Some(Item::End) => {
                    self.end_closed(number, to);
                    return;
                }
                None => return,
            }
        }
    }

    /// A server waits for the image that comes on a link; perhaps it is there.
    pub(crate) fn take_image(&mut self, server: usize, id: LinkId) {
        let Some((number, side)) = self.find_link(server, id) else { return };
        let running = self.servers[server].running.as_ref().expect("it has a link");
        if running.install.as_ref().is_none_or(|install| install.link != id) {
            return;
        }
        let end = &mut self.net.links.get_mut(&number).expect("it is there").ends[side];
        if let Some(Item::Image(_)) = end.arrived.front()
            && let Some(Item::Image(image)) = end.arrived.pop_front()
        {
            self.image_arrived(server, image);
        }
    }

    /// The image is stored; what came behind it may go on.
    pub(crate) fn resume_link(&mut self, server: usize, id: LinkId) {
        let Some((number, side)) = self.find_link(server, id) else { return };
        let link = self.net.links.get_mut(&number).expect("it is there");
        link.ends[side].awaits_image = false;
        self.take_arrived(number, side);
    }

    /// A server hears that a link is gone.
    fn end_closed(&mut self, number: usize, side: Side) {
        let link = self.net.links.get_mut(&number).expect("it is there");
        let end = &mut link.ends[side];
        end.is_closed = true;
        let (server, id) = (end.server, end.id);
        self.drop_link_if_over(number);
        let Some(running) = &mut self.servers[server].running else { return };
        running.links.remove(&id);
        if running.install.as_ref().is_some_and(|install| install.link == id) {
            self.break_off_install(server);
        }
        if self.is_led_by_a_broken_leader(server) {
            return;
        }
        self.input(server, Input::Quorum(zab::Input::Closed(id)));
    }

    /// A server closes a link once everything before has been sent.
    pub(crate) fn close_link(&mut self, server: usize, id: LinkId) {
        let Some((number, side)) = self.find_link(server, id) else { return };
        self.push_end(number, 1 - side);
        let link = self.net.links.get_mut(&number).expect("it is there");
        link.ends[side].is_closed = true;
        let running = self.servers[server].running.as_mut().expect("it has a link");
        running.links.remove(&id);
        if running.install.as_ref().is_some_and(|install| install.link == id) {
            self.break_off_install(server);
        }
        self.drop_link_if_over(number);
    }

    fn push_end(&mut self, number: usize, to: Side) {
        self.push_item(number, to, Item::End);
    }

    fn drop_link_if_over(&mut self, number: usize) {
        let is_over = |link: &Link| link.ends.iter().all(|end| end.is_closed);
        if self.net.links.get(&number).is_some_and(is_over) {
            self.net.links.remove(&number);
        }
    }

    /// A connection breaks: of what is on its way some arrives, then both ends hear of it.
    pub(crate) fn break_link(&mut self, number: usize) {
        for side in [0, 1] {
            let Some(link) = self.net.links.get_mut(&number) else { return };
            let end = &mut link.ends[side];
            if end.is_closed {
                continue;
            }
            let kept = self.random.below(end.coming.len() + 1);
            end.coming.truncate(kept);
            link.is_silent = false;
            self.unstall_side(number, side);
            self.push_end(number, side);
        }
    }

    /// What waited because it could not arrive sets out again.
    pub(crate) fn unstall(&mut self, number: usize) {
        for side in [0, 1] {
            self.unstall_side(number, side);
        }
    }

    fn unstall_side(&mut self, number: usize, to: Side) {
        let Some(link) = self.net.links.get_mut(&number) else { return };
        link.ends[to].last_arrival = self.now;
        for _ in 0..link.ends[to].coming.len() {
            self.queue.push(self.now, Event::Arrive { link: number, to });
        }
    }

    pub(crate) fn silence(&mut self, number: usize) {
        if let Some(link) = self.net.links.get_mut(&number) {
            link.is_silent = true;
        }
    }

    /// Whoever waits for a link that has gone silent hears that it is gone.
    pub(crate) fn break_silent_links(&mut self) {
        let is_silent = |(number, link): (&usize, &Link)| link.is_silent.then_some(*number);
        let silent: Vec<_> = self.net.links.iter().filter_map(is_silent).collect();
        for number in silent {
            self.break_link(number);
        }
    }

    /// A server has died: the others hear of it, or nothing at all.
    pub(crate) fn forget_links(&mut self, server: usize, links: BTreeMap<LinkId, usize>) {
        for number in links.into_values() {
            let Some(link) = self.net.links.get_mut(&number) else { continue };
            let Some(side) = link.ends.iter().position(|end| end.server == server) else {
                continue;
            };
            link.ends[side].is_closed = true;
            if self.random.one_in(4) {
                link.is_silent = true;
            } else if !link.ends[1 - side].is_closed {
                self.push_end(number, 1 - side);
            }
            self.drop_link_if_over(number);
        }
    }
}
