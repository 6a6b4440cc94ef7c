# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of one lab's plan, carried out one after the other."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

from .._engine import Engine
from .._errors import LabError
from . import _containers, _generation, _health, _host, _jupyter, _rescue, _state, _ways
from ._container import Found
from ._options import Options
from ._plan import NEXT, PREVIOUS, LabPlan


class Run:
    """One lab on its way to its plan's end. Every step is a method that bears the step's name."""

    def __init__(self, engine: Engine, plan: LabPlan, options: Options) -> None:
        self.engine, self.plan, self.options = engine, plan, options
        self.lab, self.found = plan.wanted, plan.found
        self.container = plan.found.container if plan.found else ""
        self.started = self.seen = False  # whether this run started it, and has seen that it is well
        self.put_aside = False  # whether the old container has given its name away
        self.rescued = ""  # where files of the old container were brought over to

    def all_steps(self) -> None:
        if self.plan.deferred:
            return
        for step in self.plan.steps:
            getattr(self, f"_{step.action.replace(' ', '_')}")()
        if self.lab.state in ("started", "restarted"):
            self._wait()

    def _pull(self) -> None:
        """Done for all labs before the first of them was touched."""

    def _make_work_directory(self) -> None:
        _host.make_work_dir(self.lab)

    def _own_work_directory(self) -> None:
        if not self._has("replace"):
            _host.own_work_dir(self.lab)

    def _rescue(self) -> None:
        """Done when the lab is stopped: until then, people and their servers save."""

    def _put_back(self) -> None:
        _containers.rename(self.engine, self.container, self.lab.name)

    def _create(self) -> None:
        self._write_token()
        self.container = self._new_container(self.lab.name)

    def _start(self) -> None:
        self._write_token()
        self._begin()

    def _resume(self) -> None:
        _containers.resume(self.engine, self.container, self.lab)

    def _update(self) -> None:
        self._keep_generation()
        _containers.update(self.engine, self._old, self.lab)

    def _reconnect(self) -> None:
        self._keep_generation()
        _containers.reconnect(self.engine, self._old, self.lab)

    def _stop(self) -> None:
        _containers.stop(self.engine, self._old, self.options.stop_timeout)

    def _restart(self) -> None:
        self._stop()
        if self._old.lab.ephemeral:
            self._create()
            self._begin()
        else:
            self._start()

    def _remove(self) -> None:
        if self._old.running:
            self._stop()
        self._bring_over()
        _containers.remove(self.engine, self.container, self.lab)
        if self._old.lab.ephemeral:
            self.options.state.forget(self.lab.name)

    def _clear_away(self) -> None:
        if self._aside and not self.lab.goes and not self._has("replace"):
            self._finish(self._aside)
        self._remove_leftovers()

    def _finish(self, aside: Found) -> None:
        """The end of an interrupted replacement: what it put aside comes back where its successor does not serve."""
        try:
            if self.lab.state in ("started", "restarted"):
                self._wait()
        except Exception as error:  # whatever it was, people get their lab back
            self._bring_over_for_good()
            self.found, self.put_aside = aside, True
            self._go_back(self.container, self.options.state.token(self.lab.name), error)
        self._keep_generation_of(aside)

    def _remove_leftovers(self) -> None:
        for leftover in self.plan.leftovers:
            if leftover is not self.found:
                _containers.remove(self.engine, leftover.container, self.lab)

    def _prefer_what_served(self) -> None:
        """Of the two containers that an interrupted replacement left, the one to come back to is one that served."""
        aside = self._aside
        if aside and _jupyter.ready(self._old.as_created):
            self._keep_generation_of(aside)
        elif aside:
            self._bring_over_for_good()
            _containers.remove(self.engine, self.container, self.lab)
            _containers.rename(self.engine, aside.container, self.lab.name)
            self.found, self.container = aside, aside.container

    def _replace(self) -> None:
        """The new container is made before the old one ends; the old one comes back if the new one does not serve."""
        self._prefer_what_served()
        old, token_before = self._old, self.options.state.token(self.lab.name)
        self._remove_leftovers()  # they have the names that are needed now
        self._choose_token()
        new = self._new_container(self.lab.name + NEXT)
        try:
            self._swap(old, new)
        except Exception as error:  # whatever it was, people get their lab back
            self._go_back(new, token_before, error)
        self._keep_generation()
        if not old.lab.ephemeral:
            _containers.remove(self.engine, old.container, self.lab)

    def _swap(self, old: Found, new: str) -> None:
        if old.running:
            self._stop()
        self._bring_over()
        # Not before: a lab that goes on after an interrupted run still has the token that it was started with.
        self._write_token()
        if self._has("own work directory"):
            _host.own_work_dir(self.lab)
        if not old.lab.ephemeral:
            _containers.rename(self.engine, old.container, self.lab.name + PREVIOUS)
            self.put_aside = True
        _containers.rename(self.engine, new, self.lab.name)
        self.container = new
        if self.lab.state != "stopped":
            self._begin()
            self._wait()

    def _go_back(self, new: str, token_before: str, error: Exception) -> None:
        old = self._old
        tail = _containers.log_tail(self.engine, new)
        _containers.remove(self.engine, new, self.lab)
        if old.lab.ephemeral:
            raise error
        if self.put_aside:
            _containers.rename(self.engine, old.container, self.lab.name)
        self._write_back(token_before)
        if self.rescued:
            shutil.rmtree(self.rescued, ignore_errors=True)  # the container that is put back has it all
        if self._has("own work directory") or _host.work_dir_step(old.as_created):
            _host.own_work_dir(old.as_created)
        if self._served:
            _containers.start(self.engine, old.container, old.lab)
        raise LabError(f"{error} {self._back(old)}", log=tail) from error

    def _back(self, old: Found) -> str:
        """What becomes of the lab that was put back: people reach it again before they are told so."""
        self.lab, self.container = old.as_created, old.container
        try:
            if self._served:
                self._wait_for_an_answer()
        except LabError as trouble:
            return f"What it ran on before was put back, and {trouble}"
        return "The lab is back on what it ran on before."

    def _begin(self) -> None:
        self.options.state.note("unserved", self.lab)
        _containers.start(self.engine, self.container, self.lab)
        self.started, self.seen = True, False

    def _keep_generation(self) -> None:
        self._keep_generation_of(self._old)

    def _keep_generation_of(self, old: Found) -> None:
        """Going back is no new generation, or doing it twice would go forward."""
        if self.options.generation == "declared":
            _generation.keep(self.engine, self.options.state, old)

    def _wait(self) -> None:
        """Until it is as well as is asked for; one that was left alone and was not found unwell need only answer."""
        if not self.options.wait or self.seen:
            return
        try:
            self._wait_for_an_answer()
            if self.options.wait_for != "answer" and (self.plan.steps or self._old.health == "unhealthy"):
                token, seconds = self.options.state.token(self.lab.name), self.options.wait_timeout
                with_kernel = self.started and self.options.wait_for == "kernel"
                _health.see(self.engine, self.lab, self.container, token, seconds, self.started, with_kernel)
        except LabError as error:
            error.details.setdefault("log", _containers.log_tail(self.engine, self.container))
            raise
        self.seen = True

    def _wait_for_an_answer(self) -> None:
        if not self.options.wait:
            return
        _jupyter.wait_until_ready(
            self.lab,
            self.options.wait_timeout,
            lambda: _containers.check_alive(self.engine, self.container, self.lab),
        )
        self.options.state.forget_note("unserved", self.lab.name)

    def _bring_over(self) -> None:
        """What was saved beside the work; nothing of an ephemeral lab, which has no work."""
        if self._old.lab.work_dir:
            self.rescued = _rescue.carry(self.engine, self._old, self.lab, self.options.state_dir)

    def _bring_over_for_good(self) -> None:
        """Of a container that will not come back: what is brought over stays, whatever fails afterwards."""
        self._bring_over()
        self.rescued = ""

    def _has(self, action: str) -> bool:
        return any(step.action == action for step in self.plan.steps)

    @property
    def _served(self) -> bool:
        """Whether people had the lab: it ran, or an earlier run had stopped it to replace it."""
        interrupted = self._has("put back") or bool(self.plan.leftovers)
        return self._old.running or (interrupted and self.plan.wanted.state != "stopped")

    @property
    def _old(self) -> Found:
        if self.found is None:
            raise LabError(f"{self.lab.name} has no container.")
        return self.found

    @property
    def _aside(self) -> Found | None:
        """What an interrupted replacement put aside, if it did."""
        return next((item for item in self.plan.leftovers if item.name == self.lab.name + PREVIOUS), None)

    def _new_container(self, name: str) -> str:
        private = self.options.state.of(self.lab.name)
        os.makedirs(private, exist_ok=True)
        _ways.in_work(self.lab)
        return _containers.create(self.engine, self.lab, name, private, self.options.stop_timeout)

    def _choose_token(self) -> None:
        """A lab without a token gets one here, so that a check makes none."""
        if not self.lab.token:
            token = _state.new_token()
            self.lab = replace(self.lab, token=token, token_digest=_state.token_digest(token))

    def _write_token(self) -> None:
        self._choose_token()
        self.options.state.write(self.lab, self.lab.token)

    def _write_back(self, token: str) -> None:
        if token:
            self.options.state.write(self._old.as_created, token)
