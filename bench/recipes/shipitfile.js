// shipit all deploy|rollback: shipit-deploy with its own options, and what a Django site needs.
module.exports = shipit => {
  require('shipit-deploy')(shipit)
  const { ROOT, SHARED, WORK, REPO, WHEELHOUSE, PACKAGES, KEY } = process.env
  const hosts = process.env.HOSTS.split(' ')
  const ports = process.env.PORTS.split(' ')
  shipit.initConfig({
    default: {
      repositoryUrl: `file://${REPO}`,
      branch: 'main',
      workspace: `${WORK}/workspace`,
      dirToCopy: 'site',
      deployTo: ROOT,
      keepReleases: 5,
      shallowClone: true,
      key: KEY,
    },
    all: { servers: hosts.map((host, at) => ({ host, user: 'deploy', port: Number(ports[at]) })) },
  })
  const venv = `${ROOT}/venvs/${PACKAGES}`
  const manage =
    `env $(cat ${SHARED}/env) DJANGO_SETTINGS_MODULE=config.settings.production ` +
    'venv/bin/python manage.py'

  shipit.on('updated', () => shipit.start('build'))
  shipit.on('published', () => shipit.start('reload'))

  shipit.blTask('build', async () => {
    const where = shipit.releasePath
    const there = await shipit.remote(`test -e ${venv}/done && echo yes || true`)
    if (there.some(one => !one.stdout.includes('yes'))) {
      await shipit.remote(`mkdir -p ${ROOT}/wheels`)
      await shipit.copyToRemote(`${WHEELHOUSE}/`, `${ROOT}/wheels/`)
      await shipit.remote(
        `python3 -m venv ${venv} && ${venv}/bin/pip install -q --no-index ` +
          `--find-links ${ROOT}/wheels -r ${where}/requirements.txt && touch ${venv}/done`
      )
    }
    await shipit.remote(`ln -sfn ${venv} ${where}/venv`)
    await shipit.remote(`cd ${where} && ${manage} collectstatic --noinput -v0`)
    await shipit.pool.connections[0].run(`cd ${where} && ${manage} migrate --noinput -v0`)
  })
  shipit.blTask('reload', () => shipit.remote('sudo apachectl graceful'))
}
