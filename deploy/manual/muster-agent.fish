# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_muster_agent_global_optspecs
    string join \n config= state= h/help
end

function __fish_muster_agent_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_muster_agent_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_muster_agent_using_subcommand
    set -l cmd (__fish_muster_agent_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c muster-agent -n "__fish_muster_agent_needs_command" -l config -d 'Configuration file [default: /etc/muster/agent.toml, which may be absent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_needs_command" -l state -d 'State directory: identity, spool, settings [default: /var/lib/muster/agent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_needs_command" -s h -l help -d 'Print help'
complete -c muster-agent -n "__fish_muster_agent_needs_command" -f -a "install" -d 'Installs this program as a service, joins the machine to a collector and starts it; safe to repeat'
complete -c muster-agent -n "__fish_muster_agent_needs_command" -f -a "uninstall" -d 'Says goodbye to the collector and removes the service'
complete -c muster-agent -n "__fish_muster_agent_needs_command" -f -a "enrol" -d 'Joins this machine to a collector; safe to repeat'
complete -c muster-agent -n "__fish_muster_agent_needs_command" -f -a "run" -d 'Reports until stopped (what the service runs)'
complete -c muster-agent -n "__fish_muster_agent_needs_command" -f -a "maintenance" -d 'Says that this machine is being worked on: nobody is paged about it meanwhile'
complete -c muster-agent -n "__fish_muster_agent_needs_command" -f -a "once" -d 'Collects once and prints it'
complete -c muster-agent -n "__fish_muster_agent_needs_command" -f -a "evidence" -d 'Prints what drives, RAID, memory and the kernel\'s log say, as JSON, and what of the hardware cannot be seen'
complete -c muster-agent -n "__fish_muster_agent_needs_command" -f -a "inventory" -d 'Prints what this machine is made of, runs and lets in'
complete -c muster-agent -n "__fish_muster_agent_needs_command" -f -a "show" -d 'Prints all that would be sent of this machine, field by field, as JSON'
complete -c muster-agent -n "__fish_muster_agent_needs_command" -f -a "doctor" -d 'Says what can be read, what cannot, and the exact remedy'
complete -c muster-agent -n "__fish_muster_agent_needs_command" -f -a "check-config" -d 'Checks the configuration file and reports every mistake'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand install" -l collector -d 'Where the collector listens, tried in turn; may be given several times' -r
complete -c muster-agent -n "__fish_muster_agent_using_subcommand install" -l token-file -d 'File with the join token, - for standard input [default: the variable MUSTER_TOKEN]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand install" -l label -d 'What this host is, for views and rules; may be given several times' -r
complete -c muster-agent -n "__fish_muster_agent_using_subcommand install" -l proxy -d 'HTTP proxy on the way to the collector, http://[USER@]HOST:PORT, or none; written into agent.toml' -r
complete -c muster-agent -n "__fish_muster_agent_using_subcommand install" -l proxy-password-file -d 'File with the password for USER, read at each connection; written into agent.toml' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand install" -l config -d 'Configuration file [default: /etc/muster/agent.toml, which may be absent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand install" -l state -d 'State directory: identity, spool, settings [default: /var/lib/muster/agent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand install" -l helper -d 'Let the agent ask drives, BMC and the kernel\'s log through its privileged helper (muster-helper.socket)'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand install" -s h -l help -d 'Print help'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand uninstall" -l config -d 'Configuration file [default: /etc/muster/agent.toml, which may be absent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand uninstall" -l state -d 'State directory: identity, spool, settings [default: /var/lib/muster/agent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand uninstall" -l purge -d 'Also remove identity, settings, records that were not sent, and the user'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand uninstall" -s h -l help -d 'Print help'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand enrol" -l collector -d 'Where the collector listens; may be given several times' -r
complete -c muster-agent -n "__fish_muster_agent_using_subcommand enrol" -l token-file -d 'File with the join token, - for standard input [default: the variable MUSTER_TOKEN]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand enrol" -l proxy -d 'HTTP proxy on the way to the collector, http://[USER@]HOST:PORT, or none; written into agent.toml' -r
complete -c muster-agent -n "__fish_muster_agent_using_subcommand enrol" -l proxy-password-file -d 'File with the password for USER, read at each connection; written into agent.toml' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand enrol" -l root -d 'Look at a captured machine: its `/` below this directory' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand enrol" -l commands -d 'Look external tools up in this directory only' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand enrol" -l config -d 'Configuration file [default: /etc/muster/agent.toml, which may be absent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand enrol" -l state -d 'State directory: identity, spool, settings [default: /var/lib/muster/agent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand enrol" -l force -d 'Enrol anew although this machine is enrolled; the old identity is set aside'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand enrol" -s h -l help -d 'Print help'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand run" -l root -d 'Look at a captured machine: its `/` below this directory' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand run" -l commands -d 'Look external tools up in this directory only' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand run" -l config -d 'Configuration file [default: /etc/muster/agent.toml, which may be absent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand run" -l state -d 'State directory: identity, spool, settings [default: /var/lib/muster/agent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand run" -s h -l help -d 'Print help'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand maintenance" -l for -d 'For so long: 30m, 2h' -r
complete -c muster-agent -n "__fish_muster_agent_using_subcommand maintenance" -l change -d 'The change it belongs to, such as CHG123' -r
complete -c muster-agent -n "__fish_muster_agent_using_subcommand maintenance" -l reason -d 'Why' -r
complete -c muster-agent -n "__fish_muster_agent_using_subcommand maintenance" -l config -d 'Configuration file [default: /etc/muster/agent.toml, which may be absent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand maintenance" -l state -d 'State directory: identity, spool, settings [default: /var/lib/muster/agent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand maintenance" -l end -d 'End now what this machine began'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand maintenance" -s h -l help -d 'Print help'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand once" -l format -d 'How to print it' -r -f -a "prometheus\t''
json\t''"
complete -c muster-agent -n "__fish_muster_agent_using_subcommand once" -l root -d 'Look at a captured machine: its `/` below this directory' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand once" -l commands -d 'Look external tools up in this directory only' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand once" -l config -d 'Configuration file [default: /etc/muster/agent.toml, which may be absent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand once" -l state -d 'State directory: identity, spool, settings [default: /var/lib/muster/agent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand once" -s h -l help -d 'Print help'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand evidence" -l root -d 'Look at a captured machine: its `/` below this directory' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand evidence" -l commands -d 'Look external tools up in this directory only' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand evidence" -l config -d 'Configuration file [default: /etc/muster/agent.toml, which may be absent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand evidence" -l state -d 'State directory: identity, spool, settings [default: /var/lib/muster/agent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand evidence" -s h -l help -d 'Print help'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand inventory" -l format -d 'How to print it' -r -f -a "json\t'By section, with status, reason and source'
glpi\t'GLPI\'s inventory format'"
complete -c muster-agent -n "__fish_muster_agent_using_subcommand inventory" -l root -d 'Look at a captured machine: its `/` below this directory' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand inventory" -l commands -d 'Look external tools up in this directory only' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand inventory" -l config -d 'Configuration file [default: /etc/muster/agent.toml, which may be absent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand inventory" -l state -d 'State directory: identity, spool, settings [default: /var/lib/muster/agent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand inventory" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand show" -l root -d 'Look at a captured machine: its `/` below this directory' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand show" -l commands -d 'Look external tools up in this directory only' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand show" -l config -d 'Configuration file [default: /etc/muster/agent.toml, which may be absent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand show" -l state -d 'State directory: identity, spool, settings [default: /var/lib/muster/agent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand show" -l all -d 'All there is'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand show" -s h -l help -d 'Print help'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand doctor" -l root -d 'Look at a captured machine: its `/` below this directory' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand doctor" -l commands -d 'Look external tools up in this directory only' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand doctor" -l config -d 'Configuration file [default: /etc/muster/agent.toml, which may be absent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand doctor" -l state -d 'State directory: identity, spool, settings [default: /var/lib/muster/agent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c muster-agent -n "__fish_muster_agent_using_subcommand check-config" -l config -d 'Configuration file [default: /etc/muster/agent.toml, which may be absent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand check-config" -l state -d 'State directory: identity, spool, settings [default: /var/lib/muster/agent]' -r -F
complete -c muster-agent -n "__fish_muster_agent_using_subcommand check-config" -s h -l help -d 'Print help'
