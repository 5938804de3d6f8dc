"""The `fab` program: Fabric's own, with -R for roles and errors for people."""

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import fabric
import fabric.main
from fabric import Config
from fabric.exceptions import GroupException, NothingToDo
from fabric.main import Fab
from invoke.exceptions import Exit, ParseError, UnexpectedExit
from invoke.parser.argument import Argument

from deploy import __version__
from deploy.completion import candidates
from deploy.errors import DeployError, Refused
from deploy.executor import DeployExecutor
from deploy.nearest import did_you_mean
from deploy.options import arguments, words
from deploy.report.ending import TaskEnded, ending, said
from deploy.report.jsonlines import error_line
from deploy.report.lasting import heard_or_not


class DeployFab(Fab):  # type: ignore[misc]  # Fabric ships no types
    """Fabric's program with the toolkit's options, selection and endings."""

    def core_args(self) -> list[Argument]:
        """Fabric's core options, with -R taken from --dry, and ours."""
        args: list[Argument] = super().core_args()
        for arg in args:
            arg.names = tuple(name for name in arg.names if name != "R")
            if "dry" in arg.names:
                arg.help = "Show what would be run, and change nothing."
        return args + arguments()

    def print_version(self) -> None:
        """Prints the versions of Fabric and of the toolkit."""
        super().print_version()
        sys.stdout.write(f"django-fabric-deploy {__version__}\n")

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:
        """Runs a command line; exits with the code of what went wrong, if anything did."""
        try:
            self.create_config()
            self.parse_core(argv)
            self.parse_collection()
            self.parse_tasks()
            self.parse_cleanup()
            self.update_config()
            self.execute()
        except (Exception, KeyboardInterrupt) as error:
            code = self._end(error)
        else:
            return
        if exit:
            sys.exit(code)

    def parse_core(self, argv: list[str] | None) -> None:
        """Parses the core options that stand before the first task."""
        try:
            super().parse_core(argv)
            # Invoke keeps only one line of it, in which nobody can tell where a word ends.
            dashes = self.argv.index("--") if "--" in self.argv else len(self.argv)
            self.core.rest = tuple(self.argv[dashes + 1 :])
        except ValueError as error:
            raise Refused(f"an option does not fit: {error}", "fab --help") from error

    def load_collection(self) -> None:
        """Loads the fabfile; Refused if there is none. `init` needs none: it writes one."""
        init = "init" in self.core.unparsed
        try:
            super().load_collection()
            init = init and "init" not in self.collection.task_names  # type: ignore[has-type]
        except Exit as error:
            if not init:
                what = error.message or "there is no fabfile here or above"
                raise Refused(what, "in a Django project, `fabd init` writes one") from error
        if init:
            from deploy.tasks import namespace  # only here: a fabfile brings its own

            self.collection = namespace()

    def parse_tasks(self) -> None:
        """Parses the tasks and their options; Refused if they do not fit."""
        try:
            super().parse_tasks()
        except ValueError as error:
            raise Refused(f"an option of a task does not fit: {error}") from error
        except ParseError as error:
            unknown = str(error).removeprefix("No idea what '").removesuffix("' is!")
            if unknown == str(error):
                raise
            near = did_you_mean(unknown, self.parser.contexts)
            raise Refused(f'there is no task "{unknown}"{near}', "fab --list") from error

    def parse_cleanup(self) -> None:
        """Answers --help, --list and the shell's completion."""
        if self.args.complete.value:
            start = Path(self.collection.loaded_from or ".")
            found, complete = candidates(self.core.remainder.split(), start, os.environ)
            sys.stdout.writelines(f"{word}\n" for word in found)
            if found and not complete:
                raise Exit
        super().parse_cleanup()

    def no_tasks_given(self) -> None:
        """Prints the help if nothing at all is asked for; Refused if hosts are, but no task."""
        if self.core.remainder and not self.args.complete.value:
            return
        roles = words(self.args, "roles", "-R")
        for role in roles:
            if role in self.parser.contexts:
                what = f'no task: "{role}" after -R is a role'
                raise Refused(what, f"fab -R ROLE {role}")
        if roles or self.args.hosts.value or self.args["exclude-hosts"].value:
            raise Refused("no task: say what to do on these hosts", "fab --list")
        super().no_tasks_given()

    @property
    def _remainder_only(self) -> bool:
        # `fab -R web -- COMMAND` needs the project, unlike `fab -H host -- COMMAND`.
        ours = ("roles", "exclude-hosts", "inventory")
        return super()._remainder_only and not any(self.args[name].value for name in ours)

    def _update_core_context(self, context: Any, new_args: Any) -> None:
        before = {name: context.args[name].value for name in ("roles", "exclude-hosts", "set")}
        super()._update_core_context(context, new_args)
        for name, values in before.items():
            if new_args[name].got_value:
                # Invoke would forget what stands before the task.
                context.args[name]._value = [*values, *new_args[name].value]

    def _end(self, error: BaseException) -> int:
        """Tells what went wrong, and returns the exit code."""
        task, seconds = None, 0.0
        if isinstance(error, TaskEnded) and error.__cause__:
            task, seconds, error = error.task, error.seconds, error.__cause__
        if isinstance(error, BrokenPipeError):
            # Whoever read our output has gone; Python would complain of it once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        if isinstance(error, Exit) and not error.message:
            return int(error.code)
        end = ending(_known(error))
        text = end.trace
        if self._wants_json():
            with heard_or_not():
                sys.stdout.write(error_line(task, seconds, end.error, end.exit_code) + "\n")
                sys.stdout.flush()
        else:
            hidden = f"{error}\n" if isinstance(error, UnexpectedExit) and error.result.hide else ""
            hint = f"next: {end.error.hint}\n" if end.error.hint else ""
            text = f"{hidden}error: {end.error.what}\n{hint}{text}"
        with suppress(OSError):  # Ctrl-C in `fab deploy 2>&1 | tee log` ends tee as well
            sys.stderr.write(text)
        return end.exit_code

    def _wants_json(self) -> bool:
        if hasattr(self, "tasks"):
            return bool(self.args.json.value)
        return "--json" in self.argv  # what follows the first task was never parsed


def main() -> None:
    """The `fabd` script."""
    DeployFab(
        name="Fabric",
        version=fabric.__version__,
        executor_class=DeployExecutor,
        config_class=Config,
    ).run()


def takeover() -> None:
    """Lets the toolkit's program run instead, if stock `fab` is loading this fabfile.

    Call it before anything else in a fabfile. In every other case it does nothing.
    """
    stock = fabric.main.program
    if not stock.argv or isinstance(stock, DeployFab):
        return
    if stock.args.debug.value:
        # Stock reads -Rdb as -R -d -b; ours turns logging on again if -d was meant.
        logging.getLogger().handlers.clear()
    ours = DeployFab(
        name="Fabric",
        version=fabric.__version__,
        executor_class=DeployExecutor,
        config_class=Config,
    )
    # The fabfile is loaded once more, and then this function finds ours.
    fabric.main.program = ours
    ours.run(list(stock.argv))
    sys.exit(0)


def _known(error: BaseException) -> BaseException:
    """Fabric's own errors in the toolkit's words."""
    if isinstance(error, NothingToDo):
        return Refused(str(error))
    if isinstance(error, Exit):
        known = DeployError(str(error.message))
        known.exit_code = error.code
        return known
    if isinstance(error, GroupException):
        failed = [f"{c.host}: {said(one)}" for c, one in error.result.failed.items()]
        return DeployError("\n  ".join(("failed on:", *failed)))
    return error
