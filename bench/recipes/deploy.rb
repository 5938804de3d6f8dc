# Capistrano's own flow, with the tasks that a Django site needs.
lock '>= 3.17'
root, shared = ENV.values_at('ROOT', 'SHARED')
set :application, 'guestbook'
set :deploy_to, root
set :keep_releases, 5
set :log_level, :error
set :ssh_options, config: ENV['SSH_CONFIG'], keys: [ENV['KEY']], verify_host_key: :always,
                  user_known_hosts_file: ENV['KNOWN_HOSTS']
set :venv, -> { "#{root}/venvs/#{ENV['PACKAGES']}" }
manage = "env $(cat #{shared}/env) DJANGO_SETTINGS_MODULE=config.settings.production " \
         'venv/bin/python manage.py'

namespace :django do
  task :packages do
    on roles(:all) do
      unless test("[ -e #{fetch(:venv)}/done ]")
        upload! ENV['WHEELHOUSE'], "#{root}/wheels", recursive: true
        execute "python3 -m venv #{fetch(:venv)} && #{fetch(:venv)}/bin/pip install -q --no-index " \
                "--find-links #{root}/wheels -r #{release_path}/requirements.txt && " \
                "touch #{fetch(:venv)}/done"
      end
      execute "ln -s #{fetch(:venv)} #{release_path}/venv"
    end
  end
  task :collect do
    on(roles(:all)) { execute "cd #{release_path} && #{manage} collectstatic --noinput -v0" }
  end
  task :migrate do
    on(primary(:all)) { execute "cd #{release_path} && #{manage} migrate --noinput -v0" }
  end
  task :reload do
    on(roles(:all)) { execute 'sudo apachectl graceful' }
  end
end

after 'deploy:updated', 'django:packages'
after 'django:packages', 'django:collect'
after 'django:collect', 'django:migrate'
after 'deploy:published', 'django:reload'
