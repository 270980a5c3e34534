{#- What a currency was worth in the account's currency: from a day on, and until another. -#}
{%- set own = var('harvest_exchange_rates', none) -%}
with given as (
  {% if own -%}
  select currency, cast(valid_from as date) as valid_from, max(rate) as rate
  from {{ ref(own) }}
  where currency is not null and valid_from is not null and rate is not null
  group by currency, cast(valid_from as date)
  {%- else -%}
  select
    cast(null as {{ dbt.type_string() }}) as currency,
    cast(null as date) as valid_from,
    cast(null as decimal(20, 6)) as rate
  from (select 1 as one) as nothing
  where 1 = 0
  {%- endif %}
),

account as (
  select account_currency from {{ ref('stg_harvest__company') }} where account_currency is not null
)

select
  currency,
  valid_from,
  lead(valid_from) over (partition by currency order by valid_from) as valid_until,
  {{ harvest.decimal('rate') }} as exchange_rate
from given
where currency not in (select account_currency from account)

union all

select
  account_currency as currency,
  cast('1900-01-01' as date) as valid_from,
  cast(null as date) as valid_until,
  cast(1 as decimal(20, 6)) as exchange_rate
from account
