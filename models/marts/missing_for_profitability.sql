select
  'no cost rate' as problem,
  entries.user_id,
  people.person_name,
  cast(null as {{ dbt.type_bigint() }}) as project_id,
  cast(null as {{ dbt.type_string() }}) as project_name,
  cast(null as {{ dbt.type_string() }}) as currency,
  sum(entries.hours) as hours,
  min(entries.spent_date) as first_day,
  max(entries.spent_date) as last_day
from {{ ref('fct_time') }} as entries
left join {{ ref('dim_people') }} as people on people.user_id = entries.user_id
where entries.cost_rate is null and entries.hours > 0
group by entries.user_id, people.person_name

union all

select
  'no billable rate' as problem,
  entries.user_id,
  people.person_name,
  entries.project_id,
  projects.project_name,
  entries.currency,
  sum(entries.hours) as hours,
  min(entries.spent_date) as first_day,
  max(entries.spent_date) as last_day
from {{ ref('fct_time') }} as entries
left join {{ ref('dim_people') }} as people on people.user_id = entries.user_id
left join {{ ref('dim_projects') }} as projects on projects.project_id = entries.project_id
where entries.is_billable and entries.billable_rate is null and not entries.is_fixed_fee and entries.hours > 0
group by
  entries.user_id, people.person_name, entries.project_id, projects.project_name, entries.currency

union all

select
  case
    when fee is null then 'fixed fee without a fee'
    when starts_on is null then 'fixed fee without a start'
    when ends_on is null then 'fixed fee without an end'
    else 'fixed fee that ends before it starts'
  end as problem,
  cast(null as {{ dbt.type_bigint() }}) as user_id,
  cast(null as {{ dbt.type_string() }}) as person_name,
  project_id,
  project_name,
  currency,
  cast(null as decimal(20, 6)) as hours,
  first_entry_on as first_day,
  last_entry_on as last_day
from {{ ref('dim_projects') }}
where is_fixed_fee
  and (fee is null or starts_on is null or ends_on is null or starts_on > ends_on)

union all

select
  'no exchange rate' as problem,
  cast(null as {{ dbt.type_bigint() }}) as user_id,
  cast(null as {{ dbt.type_string() }}) as person_name,
  cast(null as {{ dbt.type_bigint() }}) as project_id,
  cast(null as {{ dbt.type_string() }}) as project_name,
  entries.currency,
  sum(entries.hours) as hours,
  min(entries.spent_date) as first_day,
  max(entries.spent_date) as last_day
from {{ ref('fct_time') }} as entries
where entries.revenue_account is null
group by entries.currency
