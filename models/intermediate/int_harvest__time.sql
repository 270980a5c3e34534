{#- Time entries with their amounts. `row_version` changes with all that a row is made from. -#}
with entries as (
  select
    entries.time_entry_id,
    entries.spent_date,
    entries.user_id,
    entries.client_id,
    entries.project_id,
    entries.task_id,
    entries.invoice_id,
    entries.hours,
    entries.tracked_hours,
    entries.is_billable,
    case when entries.is_billable then entries.hours else 0 end as billable_hours,
    coalesce(clients.currency, projects.currency, entries.currency) as currency,
    entries.billable_rate,
    entries.cost_rate,
    case
      when entries.is_billable
        then {{ harvest.decimal('entries.hours * coalesce(entries.billable_rate, 0)') }}
      else 0
    end as billable_amount,
    {{ harvest.decimal('entries.hours * coalesce(entries.cost_rate, 0)') }} as cost,
    coalesce(projects.is_fixed_fee, false) as is_fixed_fee,
    entries.is_budgeted,
    entries.is_running,
    entries.is_approved,
    entries.is_invoiced,
    entries._dlt_id
  from {{ ref('stg_harvest__time_entries') }} as entries
  left join {{ ref('stg_harvest__projects') }} as projects
    on projects.project_id = entries.project_id
  left join {{ ref('stg_harvest__clients') }} as clients
    on clients.client_id = entries.client_id
),

converted as (
  select
    entries.*,
    case when entries.is_fixed_fee then 0 else entries.billable_amount end as revenue,
    rates.exchange_rate
  from entries
  left join {{ ref('int_harvest__exchange_rates') }} as rates
    on rates.currency = entries.currency
    and rates.valid_from <= entries.spent_date
    and (rates.valid_until is null or entries.spent_date < rates.valid_until)
)

select
  time_entry_id,
  spent_date,
  user_id,
  client_id,
  project_id,
  task_id,
  invoice_id,
  hours,
  tracked_hours,
  is_billable,
  billable_hours,
  currency,
  billable_rate,
  {{ harvest.decimal('billable_amount') }} as billable_amount,
  {{ harvest.decimal('revenue') }} as revenue,
  cost_rate,
  cost,
  {{ harvest.decimal(harvest.in_account_currency('billable_amount')) }}
    as billable_amount_account,
  {{ harvest.decimal(harvest.in_account_currency('revenue')) }} as revenue_account,
  is_fixed_fee,
  is_budgeted,
  is_running,
  is_approved,
  is_invoiced,
  _dlt_id || '|' || coalesce(currency, '') || '|'
    || case when is_fixed_fee then 'fixed fee' else '' end || '|'
    || coalesce(cast(exchange_rate as {{ dbt.type_string() }}), '') as row_version
from converted
