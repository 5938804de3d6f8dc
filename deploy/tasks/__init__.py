"""Everything that `fab` offers, in its groups."""

from invoke.collection import Collection

from deploy.flow import DEPLOY, DEPLOY_STATIC, ROLLBACK, Flow
from deploy.tasks import databases, hosts, project, site, steps
from deploy.tasks.releases import release_tasks, show_log, show_pending, show_releases, show_status

__all__ = ["namespace"]


def namespace(
    deploy: Flow = DEPLOY, deploy_static: Flow = DEPLOY_STATIC, rollback: Flow = ROLLBACK
) -> Collection:
    """The tasks for a fabfile, with the flows as they are or as you changed them.

    Add your own with `add_task`; a task of the same name takes the place of ours.
    """
    everything = Collection(
        *release_tasks(deploy, deploy_static, rollback),
        show_status,
        show_releases,
        show_pending,
        show_log,
        project.init,
        hosts.setup,
        hosts.lock,
        hosts.unlock,
        hosts.recover,
        site.manage,
        site.check,
        site.run,
        site.shell,
        site.logs,
    )
    groups = {
        "code": (steps.code_push, steps.code_install),
        "static": (
            steps.static_collect,
            steps.static_sync,
            steps.static_configure,
            steps.static_check,
            steps.static_prune,
        ),
        "db": (
            steps.db_plan,
            steps.db_migrate,
            databases.db_backup,
            databases.db_restore,
            databases.db_list,
        ),
        "env": (site.env_push, site.env_show, site.env_check, site.env_rotate),
        "services": (steps.services_restart,),
        "maintenance": (site.maintenance_on, site.maintenance_off),
        "apache": (steps.apache_configure, steps.apache_reload, steps.apache_check),
    }
    for name, tasks in groups.items():
        everything.add_collection(Collection(name, *tasks))
    return everything
