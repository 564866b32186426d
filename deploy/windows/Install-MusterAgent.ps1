<#
.SYNOPSIS
    Installs the Muster agent as a service and joins this machine to a collector; for Intune (Win32 app, or a platform
    script run as SYSTEM) and for a start-up script of a group policy.
.DESCRIPTION
    It may be repeated: muster-agent.exe install leaves what is so already alone, and brings a newer program into place.
    Exit codes: 0 all is as it should be, changed or not; 1 it failed; 64 wrong settings.
.PARAMETER Collector
    Where the collector listens, HOST:PORT; several are tried in turn.
.PARAMETER TokenFile
    File with the join token. A token that is no longer needed is not read.
.PARAMETER Label
    What this host is, NAME=VALUE.
.PARAMETER Program
    The agent; by default beside this script.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy Bypass -File Install-MusterAgent.ps1 -Collector muster.example.org:7460 -TokenFile token.txt -Label site=oslo
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string[]] $Collector,
    [Parameter(Mandatory = $true)][string] $TokenFile,
    [string[]] $Label = @(),
    [string] $Program = (Join-Path $PSScriptRoot 'muster-agent.exe')
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

if (-not (Test-Path -LiteralPath $Program)) {
    [Console]::Error.WriteLine("$Program is not there: put muster-agent.exe beside this script, or name it with -Program")
    exit 64
}
# Given to -File, a list is one text with commas.
$arguments = @('install', '--collector') + @($Collector -split ',') + @('--token-file', $TokenFile)
foreach ($one in @($Label -split ',' | Where-Object { $_ })) { $arguments += @('--label', $one) }

& $Program @arguments
# 2 means that something was changed, which Intune would take for a failure.
if ($LASTEXITCODE -eq 2) { exit 0 }
exit $LASTEXITCODE
